import { describe, expect, it } from "vitest";
import { strictVerifier } from "../test/keys.ts";
import {
  ALICE,
  ANSWER,
  BOB,
  CALL_SECONDS,
  CORE,
  CORE_DIGEST,
  must,
  OFFER,
  SESSION_ID,
  ZERO_DIGEST,
} from "../test/signed-call.ts";
import { latestTerms, readSteps, takeStep } from "./latest-terms.ts";
import { makeNarrowing } from "./narrowing.ts";
import { deriveTerms, type Terms } from "./terms.ts";
import {
  changedTerms,
  makeTermsAcceptance,
  makeTermsChange,
  settingsOf,
  type TermsAcceptancePayload,
  type TermsChangeExpectation,
  type TermsChangePayload,
  type TermsSettings,
  termsChangeDigest,
  verifyTermsAcceptance,
  verifyTermsChange,
  withSetting,
} from "./terms-change.ts";

const CAPTURE = "communication:audio:capture";
const terms = deriveTerms(OFFER, ANSWER);
const stream = terms.streams[0]?.stream ?? 0;
const slow: TermsSettings = { profile: "frame", streams: [{ leg: 0, stream, bitrate_bps: 16_000 }] };

const payload: TermsChangePayload = {
  v: 1,
  session_id: SESSION_ID,
  session_digest: CORE_DIGEST,
  leg: 0,
  number: 2,
  change_id: "019b76da-c6e8-7000-8000-000000000001",
  settings: slow,
  reason: "bandwidth",
  last_audit_id: ZERO_DIGEST,
  iat: CALL_SECONDS + 15,
};
const expected: TermsChangeExpectation = {
  publicKey: ALICE.identity.publicKey,
  sessionDigest: CORE.digest,
  leg: 0,
  terms,
};
const owners = {
  publicKeys: [ALICE.identity.publicKey, BOB.identity.publicKey],
  sessionDigest: CORE.digest,
} as const;

function ask(
  changes: Partial<TermsChangePayload> = {},
  wanted: Partial<TermsChangeExpectation> = {},
  signer = ALICE.identity,
) {
  const jws = makeTermsChange({ ...payload, ...changes }, signer);
  return verifyTermsChange(jws, { ...expected, ...wanted }, strictVerifier);
}

function acceptanceOf(change: string, changes: Partial<TermsAcceptancePayload> = {}, signer = BOB.identity) {
  return makeTermsAcceptance(
    {
      v: 1,
      session_id: SESSION_ID,
      session_digest: CORE_DIGEST,
      leg: 1,
      change_digest: termsChangeDigest(change),
      last_audit_id: ZERO_DIGEST,
      iat: CALL_SECONDS + 15,
      ...changes,
    },
    signer,
  );
}

/** A change by `leg` to terms `number` with its acceptance by the other end. */
function agreed(number: number, settings: TermsSettings, leg: 0 | 1 = 0) {
  const [asks, accepts] = leg === 0 ? [ALICE, BOB] : [BOB, ALICE];
  const change = makeTermsChange({ ...payload, leg, number, settings }, asks.identity);
  const acceptance = acceptanceOf(change, { leg: leg === 0 ? 1 : 0 }, accepts.identity);
  return { change, acceptance };
}

const refusal = (result: { ok: boolean; fault?: { code: string; at?: string | undefined } }) =>
  result.ok ? "accepted" : `${result.fault?.code} at ${result.fault?.at}`;

describe("a change", () => {
  it("makes the next terms, with all settings that hold from then on", () => {
    expect(must(ask()).terms).toEqual({ ...terms, number: 2, settings: slow.streams });
    const none = { profile: "frame", streams: [] } as const;
    const second = must(ask({ number: 3, settings: none }, { terms: must(ask()).terms })).terms;
    expect(second).toEqual({ ...terms, number: 3 });
  });

  it.each<[string, Partial<TermsChangePayload>, string]>([
    ["of another session", { session_digest: ZERO_DIGEST }, "field-invalid at change.session_digest"],
    ["in the other leg's name", { leg: 1 }, "field-invalid at change.leg"],
    ["that does not follow", { number: 3 }, "terms-outdated at change.number"],
    ["that changes nothing", { settings: settingsOf(terms) }, "field-invalid at change.settings"],
    ["without a reason", { reason: "" }, "field-invalid at change.reason"],
    ["with line ends in its reason", { reason: "a\nb" }, "field-invalid at change.reason"],
    ["without a version 7 UUID", { change_id: "1" }, "field-invalid at change.change_id"],
  ])("%s is refused", (_name, changes, refused) => {
    expect(refusal(ask(changes))).toBe(refused);
  });

  it("signed by anybody else, or altered in any character, is refused", () => {
    expect(refusal(ask({}, {}, BOB.identity))).toMatch(/^signature-invalid/);
    const jws = makeTermsChange(payload, ALICE.identity);
    for (let at = 0; at < jws.length; at += 7) {
      const other = jws[at] === "A" ? "B" : "A";
      const altered = jws.slice(0, at) + other + jws.slice(at + 1);
      expect(verifyTermsChange(altered, expected, strictVerifier).ok).toBe(false);
    }
  });

  it.each<[string, TermsSettings["streams"], string]>([
    ["a stream that is not there", [{ leg: 0, stream: 9, bitrate_bps: 16_000 }], "streams[0].stream"],
    ["nothing of a stream", [{ leg: 0, stream }], "streams[0]"],
    ["less than the codec takes", [{ leg: 0, stream, bitrate_bps: 100 }], "streams[0].bitrate_bps"],
    ["redundancy without a payload type", [{ leg: 0, stream, redundancy: 1 }], "streams[0].redundancy"],
    [
      "streams out of order",
      [
        { leg: 1, stream, bitrate_bps: 16_000 },
        { leg: 0, stream, bitrate_bps: 16_000 },
      ],
      "streams[1]",
    ],
    [
      "a stream twice",
      [
        { leg: 0, stream, bitrate_bps: 16_000 },
        { leg: 0, stream, bitrate_bps: 8_000 },
      ],
      "streams[1]",
    ],
  ])("that names %s is refused", (_name, streams, place) => {
    expect(refusal(changedTerms(terms, { profile: "frame", streams }))).toBe(
      `field-invalid at change.settings.${place}`,
    );
  });

  it("stays below the cap of who sends", () => {
    const scope = [...(terms.legs[0]?.scope ?? []), "communication:limit:bitrate-bps:12000"];
    const capped: Terms = { ...terms, legs: [{ leg: 0, scope }, ...terms.legs.slice(1)] };
    expect(refusal(changedTerms(capped, slow))).toBe(
      "limit-exceeded at change.settings.streams[0].bitrate_bps",
    );
  });
});

describe("an acceptance", () => {
  const jws = makeTermsChange(payload, ALICE.identity);
  const change = must(verifyTermsChange(jws, expected, strictVerifier));
  const judge = (acceptance: string, publicKey = BOB.identity.publicKey) =>
    refusal(verifyTermsAcceptance(acceptance, { publicKey, change }, strictVerifier));

  it("is the other end's, of this very change", () => {
    expect(judge(acceptanceOf(jws))).toBe("accepted");
    expect(judge(acceptanceOf(jws, {}, ALICE.identity))).toMatch(/^signature-invalid/);
    expect(judge(acceptanceOf(jws, { leg: 0 }))).toBe("field-invalid at acceptance.leg");
    expect(judge(acceptanceOf(jws, { session_digest: ZERO_DIGEST }))).toBe(
      "field-invalid at acceptance.session_digest",
    );
    const other = makeTermsChange({ ...payload, reason: "other" }, ALICE.identity);
    expect(judge(acceptanceOf(other))).toBe("field-invalid at acceptance.change_digest");
  });

  it("comes within 10 s of the change, give or take the clocks, or not at all", () => {
    const { iat } = payload;
    for (const within of [iat - 30, iat + 40])
      expect(judge(acceptanceOf(jws, { iat: within }))).toBe("accepted");
    for (const outside of [iat - 31, iat + 41])
      expect(judge(acceptanceOf(jws, { iat: outside }))).toBe("change-unanswered at acceptance.iat");
  });

  it("by who asked is none, whichever leg it says", () => {
    for (const leg of [0, 1] as const) {
      const own = acceptanceOf(jws, { leg }, ALICE.identity);
      expect(refusal(takeStep(terms, { change: jws, acceptance: own }, owners, strictVerifier))).toMatch(
        /^signature-invalid/,
      );
    }
  });
});

describe("the latest terms", () => {
  const narrowing = (number: number, scope: readonly string[]) =>
    makeNarrowing(
      {
        v: 1,
        session_id: SESSION_ID,
        session_digest: CORE_DIGEST,
        leg: 1,
        number,
        scope,
        last_audit_id: ZERO_DIGEST,
        iat: CALL_SECONDS,
      },
      BOB.identity,
    );
  const both = withSetting(slow, { leg: 1, stream, bitrate_bps: 24_000 });

  it("follow from the last change and the last narrowing of each leg alone", () => {
    const change = agreed(4, both, 1);
    const told = { narrowings: [narrowing(3, [CAPTURE])], change: { ...change, number: 4 } };
    const latest = must(latestTerms(terms, must(readSteps(told)), owners, strictVerifier));
    expect(latest).toMatchObject({ number: 4, settings: both.streams });
    expect(latest.legs[1]?.scope).toEqual([CAPTURE]);
    const back = { change: agreed(7, settingsOf(terms)) };
    expect(must(latestTerms(terms, must(readSteps(back)), owners, strictVerifier))).toEqual({
      ...terms,
      number: 7,
    });
  });

  it("take no step of older terms", () => {
    const steps = [agreed(4, both), agreed(4, slow)];
    expect(refusal(latestTerms(terms, steps, owners, strictVerifier))).toBe(
      "terms-outdated at change.number",
    );
  });
});
