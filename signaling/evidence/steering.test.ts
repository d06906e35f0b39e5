/** Narrowings and interrupts that do not fit what the relay, the listener or the speaker says elsewhere in the file. */
import { describe, expect, it } from "vitest";
import { decodeBase64url, encodeBase64url } from "../../codecs/base64url.ts";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { canonicalize, isJsonObject, parseJson } from "../../codecs/canonical-json.ts";
import { type Checkpoint, encodeCheckpoint, parseCheckpoint } from "../../codecs/checkpoint.ts";
import { encodeHex } from "../../codecs/hex.ts";
import { encodeInterrupt, type Interrupt, interruptDigest, parseInterrupt } from "../../codecs/interrupt.ts";
import { encodeReceipt, parseReceipt } from "../../codecs/receipt.ts";
import type { Signer } from "../../codecs/signer.ts";
import { contentLines, placesOf, resigned, streamOf } from "../../test/evidence-edit.ts";
import { strictVerifier } from "../../test/keys.ts";
import { ANCHORS, loggedCall } from "../../test/logged-call.ts";
import { ALICE, BOB, must, SERVER } from "../../test/signed-call.ts";
import { buildRecord, readRecord } from "../attribution.ts";
import { readSigned } from "../jws.ts";
import { makeNarrowing, NARROWING, type NarrowingPayload, narrowingDigest } from "../narrowing.ts";
import type { EvidenceLine } from "./lines.ts";
import { verifyEvidence } from "./verify.ts";

/** Without closing statements: nothing but the narrowings and interrupts themselves can give something away. */
const LINES = contentLines(loggedCall({ closes: [] }).evidence);
/** The last frame that the caller's voice had sent when it gave up sending. */
const LAST = 70_008;

function judged(lines: readonly EvidenceLine[]) {
  return verifyEvidence(resigned(lines, SERVER.identity, 0), ANCHORS, strictVerifier).report;
}

function faults(lines: readonly EvidenceLine[]): string[] {
  return judged(lines).faults.map(({ message, at }) => `${message} [${at}]`);
}

/** The lines with what every record says of a change altered: `extra` as it is, or undefined where it is to stay. */
function records(
  lines: readonly EvidenceLine[],
  alter: (extra: JsonObject) => JsonObject | undefined,
): EvidenceLine[] {
  return lines.map((line) => {
    if (line.kind !== "record") return line;
    const payload = must(readRecord(line.jws));
    const extra = alter(payload.extra ?? {});
    if (extra === undefined) return line;
    return { kind: "record", jws: buildRecord({ ...payload, extra }, SERVER.identity).jws };
  });
}

/** The relay's word on how far it had got with the caller's voice when the narrowing came. */
function withLast(lines: readonly EvidenceLine[], last: number | null): EvidenceLine[] {
  return records(lines, (extra) => {
    if (extra.narrowing === undefined || !Array.isArray(extra.streams)) return undefined;
    const streams = extra.streams.map((entry) =>
      isJsonObject(entry) && entry.stream === 0 ? { ...entry, last_sequence: last } : entry,
    );
    return { ...extra, streams };
  });
}

/** The relay's last counters, as the file and the final record have them. */
function withCounter(lines: readonly EvidenceLine[], lastSequence: number): EvidenceLine[] {
  const at = placesOf(lines, "counters")[0] as number;
  const line = lines[at];
  const found = must(parseJson(new TextEncoder().encode(line?.kind === "counters" ? line.document : "")));
  const counters = (found as JsonObject[]).map((flow) =>
    flow.leg === 0 && flow.stream === 0 ? { ...flow, lastSequence } : flow,
  );
  const counted = lines.with(at, { kind: "counters", document: canonicalize(counters) });
  return records(counted, (extra) => (extra.counters === undefined ? undefined : { ...extra, counters }));
}

function bytesOf(line: EvidenceLine | undefined): Uint8Array {
  return must(decodeBase64url(line !== undefined && "bytes" in line ? line.bytes : ""));
}

/** The last line of a kind about the caller's voice, signed anew with changes. */
function lastOf(kind: "checkpoint" | "receipt"): number {
  return placesOf(LINES, kind).findLast((at) => streamOf(LINES[at]) === "0/0") as number;
}

function withCheckpoint(lines: readonly EvidenceLine[], changes: Partial<Checkpoint>) {
  const at = lastOf("checkpoint");
  const honest = must(parseCheckpoint(bytesOf(lines[at])));
  const bytes = encodeBase64url(encodeCheckpoint({ ...honest, ...changes }, ALICE.media));
  return lines.with(at, { ...lines[at], bytes } as EvidenceLine);
}

/** The callee's `nth` interrupt made anew, its record naming it as it is now. */
function withInterrupt(nth: number, changes: Partial<Interrupt>, signer: Signer = BOB.media) {
  const at = placesOf(LINES, "interrupt")[nth] as number;
  const before = bytesOf(LINES[at]);
  const made = encodeInterrupt({ ...must(parseInterrupt(before)), ...changes }, signer);
  const [was, is] = [before, made].map((bytes) => encodeHex(interruptDigest(bytes))) as [string, string];
  const line = { ...LINES[at], bytes: encodeBase64url(made) } as EvidenceLine;
  return records(LINES.with(at, line), (extra) =>
    extra.interrupt === was ? { ...extra, interrupt: is } : undefined,
  );
}

/** The caller's narrowing made anew, likewise. */
function withNarrowing(changes: Partial<NarrowingPayload>, signer: Signer = ALICE.identity) {
  const at = placesOf(LINES, "narrowing")[0] as number;
  const line = LINES[at] as Extract<EvidenceLine, { kind: "narrowing" }>;
  const jws = makeNarrowing({ ...must(readSigned(line.jws, NARROWING)), ...changes }, signer);
  const was = narrowingDigest(line.jws);
  return records(LINES.with(at, { ...line, jws }), (extra) =>
    extra.narrowing === was ? { ...extra, narrowing: narrowingDigest(jws) } : undefined,
  );
}

it("the file itself holds", () => {
  expect(judged(LINES)).toMatchObject({ verdict: "verified", faults: [] });
  for (const same of [
    withInterrupt(0, {}),
    withNarrowing({}),
    withLast(LINES, LAST),
    withCounter(LINES, LAST),
  ])
    expect(faults(same)).toEqual([]);
});

describe("after an end gave up sending", () => {
  it("a relay that counts one frame more contradicts its own record", () => {
    expect(faults(withCounter(LINES, LAST + 1)).join("\n")).toMatch(
      /^The relay counts frames up to 70009, beyond the narrowing\. \[line \d+, caller, stream 0\]$/,
    );
  });

  it("a relay that names one frame less than it counted, or none, does too, and the listener's receipt says so", () => {
    for (const last of [LAST - 1, null]) {
      const found = faults(withLast(LINES, last));
      expect(found).toHaveLength(2);
      expect(found[0]).toMatch(/^The listener received frame \d+, beyond the narrowing/);
      expect(found[1]).toMatch(/^The relay counts frames up to 70008, beyond the narrowing/);
    }
  });

  it("a relay that lies both times is still held against the listener's receipt", () => {
    expect(faults(withCounter(withLast(LINES, LAST - 1), LAST - 1))).toEqual([
      "The listener received frame 70008, beyond the narrowing. [caller, stream 0]",
    ]);
  });

  it("a listener that signs for a frame more contradicts the relay, even where the speaker vanished", () => {
    const open = LINES.filter((_, at) => at !== lastOf("checkpoint"));
    expect(faults(open)).toEqual([]);
    const at = placesOf(open, "receipt").findLast((place) => streamOf(open[place]) === "0/0") as number;
    const honest = must(parseReceipt(bytesOf(open[at])));
    const received = [...honest.received, { first: LAST + 2, last: LAST + 2 }];
    const totals = { ...honest.totals, received: honest.totals.received + 1 };
    const bytes = encodeBase64url(encodeReceipt({ ...honest, received, totals }, BOB.media));
    expect(faults(open.with(at, { ...open[at], bytes } as EvidenceLine))).toEqual([
      "The listener received frame 70010, beyond the narrowing. [caller, stream 0]",
    ]);
  });

  it("a record without the last frame is said to be silent on it, and nothing is claimed", () => {
    const silent = records(LINES, (extra) =>
      extra.narrowing === undefined ? undefined : { ...extra, streams: [] },
    );
    const report = judged(silent);
    expect(report.faults).toEqual([]);
    expect(report.statements).toContainEqual({
      by: "server-claimed",
      text: "caller, stream 0: no word on which frame was the last before the narrowing",
    });
  });
});

describe("a narrowing", () => {
  it.each<[string, Partial<NarrowingPayload>, RegExp]>([
    ["of terms that do not follow", { number: 3 }, /does not follow the terms in force/],
    ["of more than there was", { scope: ["communication:video:capture"] }, /only gives up scope/],
    ["of another session", { session_digest: "0".repeat(64) }, /This is of another session/],
    ["of the other leg", { leg: 1 }, /This is the other leg's\./],
  ])("%s is named", (_name, changes, message) => {
    const [fault] = faults(withNarrowing(changes));
    expect(fault).toMatch(message);
    expect(fault).toMatch(/\[line \d+, narrowing/);
  });

  it("signed by anybody else is named", () => {
    expect(faults(withNarrowing({}, BOB.identity)).join("\n")).toMatch(/\[line \d+, narrowing/);
  });
});

describe("an interrupt", () => {
  it.each<[string, Partial<Interrupt>, RegExp]>([
    ["of another session", { sessionDigest: new Uint8Array(32) }, /another session, stream or leg/],
    ["of another stream", { stream: 9 }, /another session, stream or leg/],
    ["in the other leg's name", { leg: 0 }, /another session, stream or leg/],
    ["of another key generation", { keyGeneration: 1 }, /key generation that nobody presented/],
    ["that skips an epoch", { epoch: 2 }, /An interrupt is missing or twice: epoch 1 is due/],
    ["of the stream that another one was about", { speakerLeg: 1 }, /It stands after|missing or twice/],
  ])("%s is named", (_name, changes, message) => {
    const found = faults(withInterrupt(0, changes)).join("\n");
    expect(found).toMatch(message);
    expect(found).toMatch(/\[line \d+/);
  });

  it("signed by anybody else is named", () => {
    for (const signer of [ALICE.media, BOB.identity])
      expect(faults(withInterrupt(0, {}, signer))[0]).toMatch(/^The signature does not hold\. \[line \d+/);
  });

  it("is what a speaker's new epoch needs: one that nobody began, or that goes back, is named", () => {
    expect(faults(withCheckpoint(LINES, { epoch: 2 }))).toEqual([
      "Frames of epoch 2, which no interrupt began. [caller, stream 0]",
    ]);
    expect(faults(withCheckpoint(LINES, { epoch: 0 }))).toEqual([
      expect.stringMatching(/^Frames of epoch 0, .+ \[caller, stream 0\]$/),
    ]);
  });

  it("that two records name, or that another record names too, is named", () => {
    const digests = placesOf(LINES, "interrupt").map((at) => encodeHex(interruptDigest(bytesOf(LINES[at]))));
    const twice = records(LINES, (extra) =>
      extra.interrupt === digests[1] ? { ...extra, interrupt: digests[0] as string } : undefined,
    );
    const found = faults(twice).join("\n");
    expect(found).toMatch(/Another record names this interrupt too/);
    expect(found).toMatch(/No record names this interrupt\. \[line \d+, interrupt\]/);
  });
});

describe("a speaker that signed that it is not to be interrupted", () => {
  it("is interrupted all the same: a fault at that interrupt, and none where the other takes back its own words", () => {
    const lines = contentLines(loggedCall({ closes: [], guarded: true }).evidence);
    const [forbidden, own] = placesOf(lines, "interrupt");
    const found = verifyEvidence(resigned(lines, SERVER.identity, 0), ANCHORS, strictVerifier).report;
    const told = found.faults.filter(({ message }) => /not to be interrupted/.test(message));
    expect([told.length, found.verdict, own !== undefined]).toEqual([1, "invalid", true]);
    expect(told[0]?.at).toBe(`line ${(forbidden ?? 0) + 1}, interrupt`);
  });
});
