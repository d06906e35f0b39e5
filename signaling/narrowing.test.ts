import { sha256 } from "@noble/hashes/sha2.js";
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { encodeHex } from "../codecs/hex.ts";
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
  scopes,
  ZERO_DIGEST,
} from "../test/signed-call.ts";
import { makeClosing } from "./closing.ts";
import { signJws } from "./jws.ts";
import { latestTerms } from "./latest-terms.ts";
import {
  makeNarrowing,
  NARROWING,
  type NarrowingExpectation,
  type NarrowingPayload,
  narrowedTerms,
  narrowingDigest,
  scopeOf,
  verifyNarrowing,
} from "./narrowing.ts";
import { formatScopes, parseScopes } from "./scope.ts";
import { deriveTerms, type Terms } from "./terms.ts";

const CAPTURE = "communication:audio:capture";
const TRANSMIT = "communication:audio:transmit";
const terms = deriveTerms(OFFER, ANSWER);

const payload: NarrowingPayload = {
  v: 1,
  session_id: SESSION_ID,
  session_digest: CORE_DIGEST,
  leg: 0,
  number: 2,
  scope: [CAPTURE],
  last_audit_id: ZERO_DIGEST,
  iat: CALL_SECONDS + 15,
};
const expected: NarrowingExpectation = {
  publicKey: ALICE.identity.publicKey,
  sessionDigest: CORE.digest,
  leg: 0,
  terms,
};

function judge(
  changes: Partial<NarrowingPayload>,
  wanted: Partial<NarrowingExpectation> = {},
  signer = ALICE.identity,
) {
  const jws = makeNarrowing({ ...payload, ...changes }, signer);
  return verifyNarrowing(jws, { ...expected, ...wanted }, strictVerifier);
}

function outcome(judged: ReturnType<typeof judge>): string {
  return judged.ok ? "taken" : `${judged.fault.code} at ${judged.fault.at}`;
}

/** The terms with another scope for the caller. */
function withScope(text: string): Terms {
  const scope = formatScopes(scopes(text));
  return { ...terms, legs: terms.legs.map((entry) => (entry.leg === 0 ? { leg: 0, scope } : entry)) };
}

test("a narrowing makes the next terms, in which its own leg alone has less", () => {
  const { payload: said, terms: made, scope } = must(judge({}));
  expect(said).toEqual(payload);
  expect(formatScopes(scope)).toEqual([CAPTURE]);
  expect(made).toEqual({ ...terms, number: 2, legs: [{ leg: 0, scope: [CAPTURE] }, terms.legs[1]] });
  expect([scopeOf(made, 0), scopeOf(made, 1)]).toEqual([[CAPTURE], scopeOf(terms, 1)]);
});

test("one follows the other, down to nothing", () => {
  const second = must(judge({})).terms;
  const third = must(judge({ number: 3, scope: [] }, { terms: second })).terms;
  expect([third.number, scopeOf(third, 0)]).toEqual([3, []]);
  expect(outcome(judge({ number: 4, scope: [] }, { terms: third }))).toBe("field-invalid at narrowing.scope");
});

describe("the latest narrowings alone", () => {
  const publicKeys = [ALICE.identity.publicKey, BOB.identity.publicKey] as const;
  const session = { publicKeys, sessionDigest: CORE.digest };
  const callers = makeNarrowing({ ...payload, number: 5 }, ALICE.identity);
  const callees = makeNarrowing({ ...payload, leg: 1, number: 3, scope: [] }, BOB.identity);
  const latest = (narrowings: readonly string[]) =>
    latestTerms(
      terms,
      narrowings.map((narrowing) => ({ narrowing })),
      session,
      strictVerifier,
    );

  it("lead to the terms in force", () => {
    expect(must(latest([]))).toEqual(terms);
    const made = must(latest([callees, callers]));
    expect([made.number, scopeOf(made, 0), scopeOf(made, 1)]).toEqual([5, [CAPTURE], []]);
  });

  it("are refused out of order, twice, or signed by the other end", () => {
    expect(latest([callers, callees])).toMatchObject({ fault: { code: "terms-outdated" } });
    expect(latest([callers, callers])).toMatchObject({ fault: { code: "terms-outdated" } });
    expect(latest([makeNarrowing({ ...payload, leg: 1 }, ALICE.identity)])).toMatchObject({
      fault: { code: "signature-invalid" },
    });
    expect(latest(["x"])).toMatchObject({ ok: false });
  });
});

test("records name it by SHA-256 of its compact form", () => {
  const jws = makeNarrowing(payload, ALICE.identity);
  expect(narrowingDigest(jws)).toBe(encodeHex(sha256(new TextEncoder().encode(jws))));
});

describe("what is refused", () => {
  it.each<[what: string, changes: Partial<NarrowingPayload>, code: string]>([
    [
      "another session id",
      { session_id: `sess-${"B".repeat(43)}` },
      "field-invalid at narrowing.session_digest",
    ],
    [
      "another session under the same id",
      { session_digest: ZERO_DIGEST },
      "field-invalid at narrowing.session_digest",
    ],
    ["the other leg's scope", { leg: 1 }, "field-invalid at narrowing.leg"],
    ["a third leg", { leg: 2 as 1 }, "field-invalid at narrowing.leg"],
    ["the terms in force over again", { number: 1 }, "field-invalid at narrowing.number"],
    ["terms that jump", { number: 3 }, "terms-outdated at narrowing.number"],
    ["a number beyond all terms", { number: 2 ** 32 + 1 }, "field-invalid at narrowing.number"],
    [
      "more than there was",
      { scope: [CAPTURE, "communication:video:capture"] },
      "scope-violation at narrowing.scope",
    ],
    ["just what there was", { scope: [CAPTURE, TRANSMIT] }, "field-invalid at narrowing.scope"],
    ["a scope written out of order", { scope: [TRANSMIT, CAPTURE] }, "field-invalid at narrowing.scope"],
    ["a scope written twice", { scope: [CAPTURE, CAPTURE] }, "field-invalid at narrowing.scope"],
    ["what is no scope", { scope: ["no scope"] }, "scope-malformed at narrowing.scope[0]"],
    ["a member more", { more: 1 } as Partial<NarrowingPayload>, "field-invalid at narrowing.more"],
  ])("%s", (_what, changes, code) => {
    expect(outcome(judge(changes))).toBe(code);
  });

  it("what another key signed: the other end's, the media key, one that has no right to any", () => {
    for (const signer of [BOB.identity, ALICE.media]) {
      expect(outcome(judge({}, {}, signer))).toMatch(/^signature-invalid/);
    }
    expect(outcome(judge({ leg: 1 }, { leg: 1 }, ALICE.identity))).toBe("taken");
    expect(outcome(judge({ leg: 1 }, { leg: 1, publicKey: BOB.identity.publicKey }))).toMatch(
      /^signature-invalid/,
    );
  });

  it("an older narrowing once a newer one is in force", () => {
    const later = must(judge({})).terms;
    const judged = judge({}, { terms: later });
    expect(judged).toMatchObject({ fault: { code: "terms-outdated", details: { number: 2 } } });
  });

  it("another kind of signed object, and the same under another name", () => {
    const closing = makeClosing(
      {
        v: 1,
        session_id: SESSION_ID,
        session_digest: CORE_DIGEST,
        leg: 0,
        last_audit_id: ZERO_DIGEST,
        reason: "hangup",
        totals: {
          sent: { frames: 0, checkpoints: 0 },
          received: { frames: 0, heard: 0, concealed: 0, late: 0, refused: 0, receipts: 0 },
        },
        iat: CALL_SECONDS,
      },
      ALICE.identity,
    );
    for (const jws of [closing, signJws("parley-closing+jwt", payload, ALICE.identity)]) {
      expect(outcome(verifyNarrowing(jws, expected, strictVerifier))).toMatch(/^signature-invalid/);
    }
    expect(
      outcome(verifyNarrowing(signJws(NARROWING.typ, payload, ALICE.identity), expected, strictVerifier)),
    ).toBe("taken");
  });

  it("it with any one bit of any character turned over", () => {
    const jws = makeNarrowing(payload, ALICE.identity);
    for (let at = 0; at < jws.length; at += 1) {
      const mask = 1 << (at % 7);
      const flipped = jws.slice(0, at) + String.fromCharCode(jws.charCodeAt(at) ^ mask) + jws.slice(at + 1);
      expect(verifyNarrowing(flipped, expected, strictVerifier).ok, `character ${at}`).toBe(false);
    }
  });

  it("any text at all, without throwing", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), (text) => {
        expect(verifyNarrowing(text, expected, strictVerifier).ok).toBe(false);
      }),
    );
  });
});

describe("limits", () => {
  const limited = withScope(`${CAPTURE}, ${TRANSMIT}, communication:limit:bitrate-bps:64000`);
  const keeps = (text: string) => {
    const judged = narrowedTerms(limited, { leg: 0, scope: formatScopes(scopes(text)) });
    return judged.ok ? "taken" : judged.fault.code;
  };

  it("may fall and may be added, and never rise or be let go", () => {
    expect(keeps(`${CAPTURE}, ${TRANSMIT}, communication:limit:bitrate-bps:32000`)).toBe("taken");
    expect(
      keeps(`${CAPTURE}, ${TRANSMIT}, communication:limit:bitrate-bps:64000, communication:limit:streams:1`),
    ).toBe("taken");
    expect(keeps(`${CAPTURE}, ${TRANSMIT}, communication:limit:bitrate-bps:64001`)).toBe("limit-exceeded");
    expect(keeps(`${CAPTURE}, ${TRANSMIT}`)).toBe("scope-violation");
    expect(keeps(`${CAPTURE}, ${TRANSMIT}, communication:limit:bitrate-bps:64000`)).toBe("field-invalid");
  });
});

test("whatever is kept of a scope is granted by it, and nothing that is not", () => {
  const tokens = ["audio", "video", "data"].flatMap((modality) =>
    ["capture", "transmit", "*"].map((act) => `communication:${modality}:${act}`),
  );
  const bothWays = tokens.filter((token) => !token.endsWith("*"));
  const some = fc.subarray(tokens).map((chosen) => formatScopes(must(parseScopes(chosen))));
  const spelledOut = (list: readonly string[]) =>
    list.flatMap((token) => (token === "communication:bilateral" ? bothWays : [token]));
  fc.assert(
    fc.property(some, some, (had, kept) => {
      const before = withScope(had.join(", "));
      const made = narrowedTerms(before, { leg: 0, scope: kept });
      const grants = (list: readonly string[], token: string) =>
        list.some((held) => held === token || (held.endsWith("*") && token.startsWith(held.slice(0, -1))));
      const subset = spelledOut(kept).every((token) => grants(spelledOut(had), token));
      const isSame = had.length === kept.length && had.every((token, at) => token === kept[at]);
      expect(made.ok).toBe(subset && !isSame);
      if (made.ok) expect(scopeOf(made.value.terms, 1)).toEqual(scopeOf(before, 1));
    }),
    { examples: [[["communication:bilateral"], ["communication:video:capture"]]] },
  );
});
