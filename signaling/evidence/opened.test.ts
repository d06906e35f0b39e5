/** Streams that were opened and closed while a call was up: what the file says of them, and that no change to it goes unnoticed. */
import { describe, expect, it } from "vitest";
import { decodeBase64url, encodeBase64url } from "../../codecs/base64url.ts";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { checkpointDigest, encodeCheckpoint, parseCheckpoint } from "../../codecs/checkpoint.ts";
import { unixMsToNtp } from "../../codecs/ntp.ts";
import {
  contentLines,
  inserted,
  placesOf,
  rememberingVerifier,
  resigned,
  sealed,
  streamOf,
  swapped,
  without,
} from "../../test/evidence-edit.ts";
import { ANCHORS } from "../../test/logged-call.ts";
import { LATER, latestValues, loggedStreams, MUSIC, music, TOKENS } from "../../test/logged-streams.ts";
import { ALICE, BOB, CALL_TIME, must, SERVER, scopes, testAgent } from "../../test/signed-call.ts";
import { buildRecord, readRecord } from "../attribution.ts";
import { readSigned } from "../jws.ts";
import { makeNarrowing, NARROWING, type NarrowingPayload, narrowingDigest } from "../narrowing.ts";
import type { OpenedStream } from "../terms.ts";
import {
  makeTermsAcceptance,
  makeTermsChange,
  TERMS_ACCEPTANCE,
  TERMS_CHANGE,
  type TermsSettings,
  termsChangeDigest,
} from "../terms-change.ts";
import { CLOCK_SKEW_SECONDS } from "../validity.ts";
import type { EvidenceLine, LineKind } from "./lines.ts";
import { verifyMedia } from "./media.ts";
import { verifyEvidence } from "./verify.ts";

const CALL = loggedStreams();
const LINES = contentLines(CALL.evidence);
/** Without closing statements, which name records as they were. */
const BARE = contentLines(loggedStreams({ closes: [] }).evidence);
const OTHER = contentLines(loggedStreams({ number: 2 }).evidence);
const STEPS: readonly LineKind[] = ["narrowing", "terms-change", "terms-acceptance"];
/** Records up to the last that an end countersigned. */
const HEAD = placesOf(LINES, "record").length - 1;
const verifier = rememberingVerifier();

function judged(file: Uint8Array) {
  return verifyEvidence(file, ANCHORS, verifier).report;
}

function expectInvalid(lines: readonly EvidenceLine[], what: string): void {
  expect(judged(sealed(lines, SERVER.identity)).verdict, `${what}, sealed anew`).toBe("invalid");
  const signedAnew = resigned(lines, SERVER.identity, HEAD);
  expect(judged(signedAnew).verdict, `${what}, last records signed anew`).toBe("invalid");
}

function faults(lines: readonly EvidenceLine[]): string[] {
  return judged(resigned(lines, SERVER.identity, 0)).faults.map(({ message, at }) => `${message} [${at}]`);
}

/** The lines with what the records say of a signed object following its new form. */
function renamed(lines: readonly EvidenceLine[], member: string, was: string, is: string): EvidenceLine[] {
  return lines.map((line) => {
    if (line.kind !== "record") return line;
    const payload = must(readRecord(line.jws));
    if (payload.extra?.[member] !== was) return line;
    const extra = { ...payload.extra, [member]: is };
    return { kind: "record", jws: buildRecord({ ...payload, extra }, SERVER.identity).jws };
  });
}

function extraOf(line: EvidenceLine | undefined): JsonObject {
  return (line?.kind === "record" ? must(readRecord(line.jws)).extra : undefined) ?? {};
}

/** The lines with a record that says more. */
function withExtra(lines: readonly EvidenceLine[], at: number, more: JsonObject): EvidenceLine[] {
  const payload = must(readRecord((lines[at] as Extract<EvidenceLine, { kind: "record" }>).jws));
  const extra = { ...payload.extra, ...more };
  return lines.with(at, { kind: "record", jws: buildRecord({ ...payload, extra }, SERVER.identity).jws });
}

/** The nth narrowing said otherwise, and signed by who signed it. */
function withNarrowing(nth: number, changes: Partial<NarrowingPayload>): EvidenceLine[] {
  const at = placesOf(BARE, "narrowing")[nth] as number;
  const line = BARE[at] as Extract<EvidenceLine, { kind: "narrowing" }>;
  const signer = line.of === "caller" ? ALICE.identity : BOB.identity;
  const jws = makeNarrowing({ ...must(readSigned(line.jws, NARROWING)), ...changes }, signer);
  return renamed(
    BARE.with(at, { ...line, jws }),
    "narrowing",
    narrowingDigest(line.jws),
    narrowingDigest(jws),
  );
}

/** The nth change said otherwise, and signed by both ends: all that two ends and a server that conspire could make. */
function withChange(nth: number, alter: (settings: TermsSettings) => TermsSettings): EvidenceLine[] {
  const at = placesOf(BARE, "terms-change")[nth] as number;
  const line = BARE[at] as Extract<EvidenceLine, { kind: "terms-change" }>;
  const [asks, accepts] = line.of === "caller" ? [ALICE, BOB] : [BOB, ALICE];
  const payload = must(readSigned(line.jws, TERMS_CHANGE));
  const jws = makeTermsChange({ ...payload, settings: alter(payload.settings) }, asks.identity);
  const was = termsChangeDigest(line.jws);
  const lines = BARE.with(at, { ...line, jws }).map((each): EvidenceLine => {
    if (each.kind !== "terms-acceptance") return each;
    const accepted = must(readSigned(each.jws, TERMS_ACCEPTANCE));
    if (accepted.change_digest !== was) return each;
    const anew = makeTermsAcceptance(
      { ...accepted, change_digest: termsChangeDigest(jws) },
      accepts.identity,
    );
    return { ...each, jws: anew };
  });
  return renamed(lines, "terms_change", was, termsChangeDigest(jws));
}

describe("a file of a call whose streams came and went", () => {
  const report = judged(CALL.evidence);
  const said = report.statements.map(({ by, text }) => `${by}: ${text}`);

  it("holds, and says who opened and closed what", () => {
    expect(report).toMatchObject({ verdict: "verified", faults: [] });
    expect(said).toContain(
      `both: stream ${TOKENS}: opened by the caller from terms 2 on: data "values ${TOKENS}", json messages, the latest one within 200 ms, sent by caller and callee`,
    );
    expect(said).toContain(
      `both: stream ${MUSIC}: opened by the callee from terms 3 on: audio, pcmu 8000 Hz, 20 ms frames, sent by callee`,
    );
    expect(said).toContain(`speaker-signed: stream ${TOKENS} (data): closed by the callee from terms 4 on`);
    expect(said).toContain("speaker-signed: stream 1 (data): closed by the caller from terms 5 on");
    expect(said).toContain(
      `both: terms 6: the caller asked (more), the other end accepted: caller, stream 0: at most 16000 bit/s; stream ${LATER} opened`,
    );
    expect(said.filter((text) => text.includes("gave up scope"))).toEqual([]);
  });

  it("counts each stream of each end, open or closed", () => {
    expect(
      report.streams.map(({ leg, stream, openedBy, closedBy, frames }) => [
        leg,
        stream,
        openedBy,
        closedBy,
        frames,
      ]),
    ).toEqual([
      [0, 0, undefined, undefined, 2],
      [0, 1, undefined, 0, 2],
      [0, TOKENS, 0, 1, 2],
      [0, LATER, 0, undefined, 2],
      [1, 0, undefined, undefined, 2],
      [1, 1, undefined, 0, 2],
      [1, TOKENS, 0, 1, 2],
      [1, MUSIC, 1, undefined, 2],
      [1, LATER, 0, undefined, 2],
    ]);
  });

  it("proves kept frames of all of them", () => {
    const media = verifyMedia(CALL.kept, verifyEvidence(CALL.evidence, ANCHORS, verifier), verifier);
    expect(media.faults).toEqual([]);
    expect(media.frames).toHaveLength(CALL.kept.length);
  });
});

describe("a server that seals the file anew", () => {
  it("cannot take out a change, an acceptance or a closing, nor any other line", () => {
    for (const at of LINES.keys()) {
      const { kind } = LINES[at] as EvidenceLine;
      if (kind === "record")
        expect(judged(sealed(without(LINES, at), SERVER.identity)).verdict).toBe("invalid");
      // That an end vanished is what a server may always claim.
      else if (kind !== "closing") expectInvalid(without(LINES, at), `${kind} at ${at}`);
    }
  });

  it("cannot take one out together with the records that name it", () => {
    const names = (line: EvidenceLine) =>
      line.kind === "record" &&
      /"(narrowing|terms_change)":/.test(JSON.stringify(must(readRecord(line.jws)).extra ?? {}));
    const records = LINES.flatMap((line, at) => (names(line) ? [at] : []));
    expect(records).toHaveLength(5);
    for (const record of records) {
      for (const step of placesOf(LINES, "narrowing", "terms-change")) {
        const left = LINES.filter((_, at) => at !== record && at !== step);
        for (const from of [0, HEAD])
          expect(judged(resigned(left, SERVER.identity, from)).verdict).toBe("invalid");
      }
    }
  });

  it("cannot put one in twice, or one of another call, or in another's place", () => {
    for (const at of placesOf(LINES, ...STEPS)) {
      const line = LINES[at] as EvidenceLine;
      expectInvalid(inserted(LINES, at, line), `${line.kind} twice`);
      expectInvalid(inserted(LINES, at, OTHER[at] as EvidenceLine), `foreign ${line.kind}`);
      expectInvalid(LINES.with(at, OTHER[at] as EvidenceLine), `foreign ${line.kind} in its place`);
    }
  });

  it("cannot move them, or give them to the other end", () => {
    for (const at of placesOf(LINES, ...STEPS)) {
      const line = LINES[at] as Extract<EvidenceLine, { of: string }>;
      const next = LINES[at + 1];
      if (next?.kind === line.kind && "of" in next && next.of === line.of)
        expectInvalid(swapped(LINES, at, at + 1), `${line.kind} moved`);
      for (const of of ["caller", "callee", "server"] as const) {
        if (of !== line.of) expectInvalid(LINES.with(at, { ...line, of }), `${line.kind} to ${of}`);
      }
    }
  });

  it("cannot alter any of them", () => {
    for (const at of placesOf(LINES, ...STEPS)) {
      const line = LINES[at] as Extract<EvidenceLine, { kind: "narrowing" }>;
      for (let step = 1; step < 8; step += 1) {
        const place = Math.floor((line.jws.length * step) / 8);
        const letter = line.jws[place] === "A" ? "B" : "A";
        const jws = line.jws.slice(0, place) + letter + line.jws.slice(place + 1);
        expectInvalid(LINES.with(at, { ...line, jws }), line.kind);
      }
    }
  });

  it("cannot give a change another one's acceptance, nor have later terms come before", () => {
    const changes = placesOf(BARE, "record").filter((at) =>
      JSON.stringify(extraOf(BARE[at])).includes("terms_change"),
    );
    const [first, , last] = changes as [number, number, number];
    const named = (at: number) => extraOf(BARE[at]).terms_acceptance as string;
    const crossed = withExtra(withExtra(BARE, first, { terms_acceptance: named(last) }), last, {
      terms_acceptance: named(first),
    });
    const isOther = expect.stringMatching(
      /^It names the acceptance of another change\. \[line \d+, record \d+\]$/,
    );
    expect(faults(crossed)).toEqual([isOther, isOther]);
    const isLater = expect.stringMatching(
      /^It stands after a record of later terms\. \[line \d+, record \d+\]$/,
    );
    expect(faults(swapped(BARE, first, last))).toEqual([isLater, isLater]);
    const [closing, next] = placesOf(BARE, "record").filter((at) => "narrowing" in extraOf(BARE[at])) as [
      number,
      number,
    ];
    expect(faults(swapped(BARE, closing, next))).toContainEqual(isLater);
  });

  it("cannot pass statements of one stream off as another's, nor add those of a stream that never was", () => {
    const of = (name: string) =>
      LINES.findIndex((line) => streamOf(line) === name && line.kind === "checkpoint");
    const [tokens, later] = [of(`0/${TOKENS}`), of(`0/${LATER}`)];
    expectInvalid(swapped(without(LINES, tokens), later - 1, tokens), "moved");
    const without4 = LINES.filter((line) => line.kind !== "terms-change" && line.kind !== "terms-acceptance");
    expect(faults(without4).join("\n")).toMatch(/checkpoint is of a stream that was not agreed/);
  });
});

describe("what both ends and the server together cannot make a file say", () => {
  const opened = (settings: TermsSettings, alter: (stream: OpenedStream) => OpenedStream): TermsSettings => ({
    ...settings,
    opened: (settings.opened ?? []).map(alter),
  });

  it("the helpers leave an honest file as it is", () => {
    expect(faults(withChange(0, (settings) => settings))).toEqual([]);
    expect(faults(withNarrowing(0, {}))).toEqual([]);
  });

  it("that a stream was opened under a number that was taken", () => {
    const found = faults(withChange(0, (settings) => opened(settings, () => latestValues(1, 0))));
    expect(found[0]).toMatch(/An opened stream has the next number/);
  });

  it("that a change left out a stream that was open, or brought one in the other end's name", () => {
    expect(
      faults(withChange(2, ({ opened: _, ...settings }) => ({ ...settings, last_stream: MUSIC })))[0],
    ).toMatch(/A change closes no stream/);
    expect(
      faults(
        withChange(1, (settings) =>
          opened(settings, (each) => (each.offer.stream === LATER ? { ...each, by: 1 } : each)),
        ),
      )[0],
    ).toMatch(/in the other end's name/);
  });

  it("that a closing did not happen which a later one repeats", () => {
    const places = placesOf(BARE, "narrowing");
    const callers = places.findIndex((at) => (BARE[at] as { of: string }).of === "caller");
    expect(faults(withNarrowing(callers, { closed: [1] }))[0]).toMatch(/leaves out a stream that is closed/);
    expect(faults(withNarrowing(callers, { closed: [1, TOKENS, 7] }))[0]).toMatch(/no such stream to close/);
  });

  it("that an end opened what its documents do not let it send", () => {
    const voice = music(TOKENS, 0);
    const codec = {
      name: "vp8",
      clock_rate: 90_000,
      payload_type: 96,
      max_width: 640,
      max_height: 360,
      max_frame_rate: 30,
    } as const;
    const video: OpenedStream = {
      by: 0,
      offer: {
        ...{ stream: TOKENS, modality: "video", direction: "sendonly" },
        ssrc: voice.offer.ssrc,
        codecs: [codec],
      },
      answer: {
        ...{ stream: TOKENS, modality: "video", direction: "recvonly" },
        ssrc: voice.answer.ssrc,
        codec,
      },
    };
    const found = faults(withChange(0, (settings) => opened(settings, () => video)));
    expect(found[0]).toMatch(/The scope does not cover a stream that would be sent/);
  });

  it("that an end had leave to open what its issuer never let it send, or more than it may send at once", () => {
    const data = "communication:data:capture, communication:data:transmit";
    const voice = "communication:audio:capture, communication:audio:transmit";
    const withDocument = (scope: string) => {
      const { document } = testAgent("alice", 1, { document: { scope: scopes(scope) } });
      const text = new TextDecoder().decode(document.bytes);
      return faults(
        BARE.map((line) =>
          line.kind === "identity-document" && line.of === "caller" ? { ...line, document: text } : line,
        ),
      );
    };
    const opened = (found: readonly string[]) => found.filter((fault) => fault.includes("what was opened"));
    expect(withDocument(`${voice}, ${data}`)).toEqual([]);
    expect(opened(withDocument(voice))).toEqual([
      expect.stringMatching(/^The caller .* \(stream 2\): The claim exceeds .* \[caller, scope\]$/),
      expect.stringMatching(/^The caller .* \(stream 3\)/),
      expect.stringMatching(/^The caller .* \(stream 4\)/),
    ]);
    const capped = (streams: number) =>
      withDocument(`${voice}, ${data}, communication:limit:streams:${streams}`);
    expect(capped(3)).toEqual([]);
    expect(capped(2)).toEqual([
      expect.stringMatching(/^The caller .* \(stream 2\): The scope of who would send it caps it/),
    ]);
  });

  it("that frames of a stream were captured before it was asked for", () => {
    const [opens] = placesOf(BARE, "terms-change") as [number];
    const { iat } = must(readSigned((BARE[opens] as { jws: string }).jws, TERMS_CHANGE));
    const slack = CLOCK_SKEW_SECONDS * 1_000;
    expect(faults(withFirstCapture(TOKENS, iat * 1_000 - slack))).toEqual([]);
    const early = faults(withFirstCapture(TOKENS, iat * 1_000 - slack - 1_000));
    expect(early).toEqual([
      expect.stringMatching(
        /^It covers frames captured before the stream was opened\. \[line \d+, checkpoint 0 of the caller, stream 2\]$/,
      ),
    ]);
    // Those of offer and answer were there from the beginning.
    expect(faults(withFirstCapture(0, CALL_TIME - slack - 1_000))).toEqual([]);
  });

  it("that who asked for a change has accepted it too", () => {
    const accepts = BARE.findIndex((each) => each.kind === "terms-acceptance" && each.of === "callee");
    const line = BARE[accepts] as Extract<EvidenceLine, { kind: "terms-acceptance" }>;
    expect(faults(BARE.with(accepts, { ...line, of: "caller" }))).toContain(
      `It stands among those of who asked. [line ${accepts + 1}, acceptance]`,
    );
  });

  it("that an end muted what it does not send, or held what it does not hear", () => {
    const told = (event: string, leg: number, stream: number, more: JsonObject) =>
      faults(withRecord(event, { leg, stream, ...more }));
    for (const stream of [MUSIC, 0]) {
      expect(told("stream-muted", 1, stream, { muted: true })).toEqual([]);
      expect(told("stream-held", 0, stream, { held: true })).toEqual([]);
      expect(told("keyframe-request", 0, stream, {})).toEqual([]);
    }
    const never = (whom: string) => [expect.stringMatching(`of a stream that its ${whom} never had`)];
    expect(told("stream-muted", 0, MUSIC, { muted: true })).toEqual(never("speaker"));
    expect(told("stream-held", 1, MUSIC, { held: true })).toEqual(never("listener"));
    expect(told("keyframe-request", 1, MUSIC, {})).toEqual(never("listener"));
    expect(told("stream-muted", 0, 9, { muted: true })).toEqual(never("speaker"));
  });
});

it("no file says that an end was shown a rendition that was never agreed, or found frames unattributed backwards", () => {
  const rendition = { leg: 0, source: 1, rendition: 0 };
  expect(faults(withRecord("rendition", rendition))).toEqual([
    expect.stringMatching(/^It names a rendition that was never agreed/),
  ]);
  const unattributed = (first_sequence: number, last_sequence: number) =>
    faults(withRecord("unattributed", { leg: 0, stream: MUSIC, first_sequence, last_sequence }));
  expect(unattributed(3, 3)).toEqual([]);
  expect(unattributed(4, 3)).toEqual([expect.stringMatching(/that this end cannot have heard/)]);
});

/** One more record before the last, of what a server was told. */
function withRecord(event: string, extra: JsonObject): EvidenceLine[] {
  const at = placesOf(BARE, "record").at(-1) as number;
  const last = BARE[at] as Extract<EvidenceLine, { kind: "record" }>;
  const { extra: _, ...payload } = must(readRecord(last.jws));
  const { jws } = buildRecord({ ...payload, event, extra }, SERVER.identity);
  return inserted(BARE, at, { kind: "record", jws });
}

/** The caller's checkpoints of a stream, the first with frames captured from then on, chained and signed anew. */
function withFirstCapture(stream: number, from: number): EvidenceLine[] {
  let previous: Uint8Array = new Uint8Array(32);
  return BARE.map((line) => {
    if (line.kind !== "checkpoint" || streamOf(line) !== `0/${stream}`) return line;
    const said = must(parseCheckpoint(must(decodeBase64url(line.bytes))));
    const firstCapture = said.index === 0 ? unixMsToNtp(from) : said.firstCapture;
    const bytes = encodeCheckpoint({ ...said, previous, firstCapture }, ALICE.media);
    previous = checkpointDigest(bytes);
    return { ...line, bytes: encodeBase64url(bytes) };
  });
}
