/** The evidence of a call that outlives connections, processes and the server's own: what it tells, and what nobody can forge in it. */
import { describe, expect, it } from "vitest";
import { decodeBase64url, encodeBase64url } from "../../codecs/base64url.ts";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import {
  type Checkpoint,
  checkpointDigest,
  encodeCheckpoint,
  parseCheckpoint,
} from "../../codecs/checkpoint.ts";
import {
  buildFrame,
  FrameSigningContext,
  FrameView,
  frameDigest,
  parseFrame,
  signFrame,
} from "../../codecs/frame.ts";
import { encodeHex } from "../../codecs/hex.ts";
import { interruptDigest } from "../../codecs/interrupt.ts";
import { unixMsToNtp } from "../../codecs/ntp.ts";
import { encodeReceipt, parseReceipt, receiptDigest } from "../../codecs/receipt.ts";
import type { Signer } from "../../codecs/signer.ts";
import {
  contentLines,
  inserted,
  placesOf,
  rememberingVerifier,
  resigned,
  sealed,
  without,
} from "../../test/evidence-edit.ts";
import { seedSigner } from "../../test/keys.ts";
import { ANCHORS } from "../../test/logged-call.ts";
import {
  FIRST_FRAME,
  FRAMES,
  KEY_RECORD,
  LATER_FRAME,
  LATER_MEDIA,
  laterInterrupt,
  laterKey,
  loggedLife,
  UNSTATED,
} from "../../test/logged-life.ts";
import { ALICE, BOB, CALL_TIME, must, SERVER } from "../../test/signed-call.ts";
import { buildRecord, readRecord } from "../attribution.ts";
import { CLOSING, makeClosing } from "../closing.ts";
import { jwsDigest, readSigned } from "../jws.ts";
import type { EvidenceLine } from "./lines.ts";
import { verifyMedia } from "./media.ts";
import { verifyEvidence } from "./verify.ts";

const CALL = loggedLife();
const LINES = contentLines(CALL.evidence);
const OTHER = contentLines(loggedLife({ number: 2 }).evidence);
const verifier = rememberingVerifier();
const [KEY_LINE] = placesOf(LINES, "media-key") as [number];
const RECORD_LINES = placesOf(LINES, "record");

function judged(lines: readonly EvidenceLine[], from = 0) {
  return verifyEvidence(resigned(lines, SERVER.identity, from), ANCHORS, verifier);
}

/** What is found in lines that the server signed anew from the first record on: all but what the ends signed. */
function found(lines: readonly EvidenceLine[]): string {
  const { verdict, faults } = judged(lines).report;
  expect(verdict).toBe("invalid");
  for (const { at } of faults)
    expect(at).toMatch(/^line \d+|^closing of the c|^receipts of the c|^c\w+, stream \d+/);
  return faults.map(({ message, at }) => `${message} [${at}]`).join("\n");
}

/** The lines with the certificate given in place of the true one, and named by the record as that was. */
function withKey(jws: string, extra: JsonObject = {}): readonly EvidenceLine[] {
  return withRecord(KEY_RECORD, { media_key: jwsDigest(jws), ...extra }).with(KEY_LINE, {
    kind: "media-key",
    of: "caller",
    jws,
  });
}

/** The lines with one record saying something else; the chain is signed anew by {@link judged}. */
function withRecord(index: number, extra: JsonObject, event?: string): readonly EvidenceLine[] {
  const at = RECORD_LINES[index] as number;
  const line = LINES[at];
  const payload = must(readRecord(line?.kind === "record" ? line.jws : ""));
  const changed = {
    ...payload,
    ...(event === undefined ? {} : { event }),
    extra: { ...payload.extra, ...extra },
  };
  return LINES.with(at, { kind: "record", jws: buildRecord(changed, SERVER.identity).jws });
}

/** The caller's checkpoints of its voice, the second changed and signed by `signer`. */
function withSecondCheckpoint(changes: Partial<Checkpoint>, signer: Signer): readonly EvidenceLine[] {
  const at = voiceCheckpoints()[1] as number;
  const bytes = encodeCheckpoint({ ...checkpointAt(at), ...changes }, signer);
  return LINES.with(at, { kind: "checkpoint", of: "caller", bytes: encodeBase64url(bytes) });
}

function voiceCheckpoints(): number[] {
  return placesOf(LINES, "checkpoint").filter((at) => {
    const line = LINES[at];
    return line?.kind === "checkpoint" && line.of === "caller" && checkpointAt(at).stream === 0;
  });
}

function bytesAt(at: number): Uint8Array {
  const line = LINES[at];
  return must(decodeBase64url(line !== undefined && "bytes" in line ? line.bytes : ""));
}

function checkpointAt(at: number): Checkpoint {
  return must(parseCheckpoint(bytesAt(at)));
}

describe("the evidence of a long life", () => {
  it("verifies, and says of each turn whose word it is", () => {
    const { report } = verifyEvidence(CALL.evidence, ANCHORS, verifier);
    expect(report).toMatchObject({ verdict: "verified", faults: [] });
    const statements = report.statements.map(({ by, text }) => `${by}: ${text}`);
    const [early, late] = [FIRST_FRAME + FRAMES, LATER_FRAME];
    for (const said of [
      "speaker-signed: caller: signs media with a new key, generation 1, by its identity key",
      /^server-claimed: caller: generation 1 in force from .* on, nothing of an older one let through since$/,
      `speaker-signed: caller, stream 0 (audio): goes on with frame ${late} and key generation 1; no checkpoint speaks of frames ${early} to ${late - 1}`,
      `listener-signed: caller, stream 0 (audio): received ${UNSTATED} of frames ${early} to ${late - 1}`,
      `both: caller, stream 0 (audio): ${2 * FRAMES} of ${2 * FRAMES} frames sent and received`,
      "listener-signed: callee, stream 0: interrupted by the caller, epoch 1",
      /^server-claimed: .*Z: suspended by the callee, to be resumed by 2026-01-01T01:00:00.000Z$/,
      /^server-claimed: .*Z: resumed by the callee$/,
      /^server-claimed: .*Z: caller: without a connection \(connection-lost\)$/,
      /^server-claimed: .*Z: caller: came back over webtransport, with a new key$/,
      /^server-claimed: .*Z: the server was started anew \(server-restarted\) and went on with it; .* lost$/,
      /^server-claimed: .*Z: caller: came back over webtransport, with the same key$/,
      /^server-claimed: .*Z: callee: moved its media over websocket, with the same key$/,
    ]) {
      const matching = (text: string) => (typeof said === "string" ? text === said : said.test(text));
      expect(statements.filter(matching), String(said)).toHaveLength(1);
    }
  });

  it("holds kept frames by the key that each was signed with, those that no checkpoint lists included", () => {
    const evidence = verifyEvidence(CALL.evidence, ANCHORS, verifier);
    const { frames, faults } = verifyMedia(CALL.kept, evidence, verifier);
    expect(faults).toEqual([]);
    expect(frames.map(({ keyGeneration }) => keyGeneration)).toEqual([0, 0, 0, 0, 0, 0, 1, 1, 1, 1]);
    expect(frames.filter(({ checkpointed }) => !checkpointed)).toHaveLength(UNSTATED);
  });

  it("is invalid without any one of its lines, with any put in twice, and with any of another call's", () => {
    const end = RECORD_LINES.length - 1;
    for (const [at, line] of LINES.entries()) {
      const isSame = JSON.stringify(line) === JSON.stringify(OTHER[at]);
      const replaced = isSame ? [] : [LINES.with(at, OTHER[at] as EvidenceLine)];
      for (const changed of [without(LINES, at), inserted(LINES, at, line), ...replaced]) {
        const { verdict } = verifyEvidence(sealed(changed, SERVER.identity), ANCHORS, verifier).report;
        expect(verdict, `${line.kind} at ${at}`).toBe("invalid");
        // What comes after the last record that an end countersigned is the server's to write; and an end may have vanished.
        if (line.kind === "record" || line.kind === "closing") continue;
        expect(judged(changed, end).report.verdict, `${line.kind} at ${at}, final record anew`).toBe(
          "invalid",
        );
      }
    }
  });
});

describe("a later media key", () => {
  const alien = seedSigner(0x61);

  it.each<[string, string, RegExp]>([
    ["signed by anybody but the end's identity key", laterKey({}, alien), /media_key|signature/],
    ["signed by the media key before it", laterKey({}, ALICE.media), /media_key|signature/],
    ["of another agent", laterKey({ agentId: BOB.genesis.agentId }), /another agent's key/],
    ["of another offer", laterKey({ offerId: "019b76da-a800-7000-8000-000000000007" }), /for another call/],
    ["of the generation before", laterKey({ generation: 0 }), /generation 1 is due, this is 0/],
    ["of a generation that skips one", laterKey({ generation: 2 }), /generation 1 is due, this is 2/],
    ["that is the one before it", laterKey({ ed25519: ALICE.media.publicKey }), /has signed in this call/],
    ["that is the other end's", laterKey({ ed25519: BOB.media.publicKey }), /has signed in this call/],
  ])("%s is named", (_name, jws, message) => {
    const faults = found(withKey(jws));
    expect(faults).toMatch(message);
    // What was signed with it stands for nothing then.
    expect(faults).toMatch(/key generation that nobody presented/);
  });

  it("that no record names, or that two name, or that a record names and the file lacks, is named", () => {
    expect(found(withRecord(KEY_RECORD, { media_key: "0".repeat(64) }))).toMatch(
      /No record names this media key[\s\S]*record names is not in the file/,
    );
    const digest = jwsDigest(laterKey());
    expect(found(withRecord(KEY_RECORD + 2, { media_key: digest }))).toMatch(
      /Another record names this media key too/,
    );
    expect(found(without(LINES, KEY_LINE))).toMatch(/media key that this record names is not in the file/);
    expect(found(without(LINES, RECORD_LINES[KEY_RECORD] as number))).toMatch(
      /No record names this media key/,
    );
  });

  it("of which a record says something else is named", () => {
    expect(found(withRecord(KEY_RECORD, { generation: 2 }))).toMatch(/says of a media key what it does not/);
    expect(found(withRecord(KEY_RECORD, { leg: 1 }))).toMatch(/says of a media key what it does not/);
  });

  it("given to the other end is named", () => {
    const line = LINES[KEY_LINE] as EvidenceLine & { readonly kind: "media-key" };
    for (const of of ["callee", "server"] as const)
      expect(found(LINES.with(KEY_LINE, { ...line, of }))).toMatch(/\[line \d+/);
  });
});

describe("a statement after a key was changed", () => {
  it.each<[string, Partial<Checkpoint>, Signer, RegExp]>([
    ["signed with the key before it in the new one's name", {}, ALICE.media, /signature does not hold/],
    ["in the name of a key that never was", { keyGeneration: 2 }, LATER_MEDIA, /nobody presented/],
    [
      "that goes back before the one before it",
      { firstSequence: FIRST_FRAME },
      LATER_MEDIA,
      /does not go on/,
    ],
    ["that follows another one", { previous: new Uint8Array(32).fill(1) }, LATER_MEDIA, /the chain breaks/],
    [
      "that counts what the key before signed too",
      { totalFrames: 2 * FRAMES },
      LATER_MEDIA,
      /does not add up/,
    ],
    ["of the old key, behind a gap", { keyGeneration: 0 }, ALICE.media, /does not go on where/],
  ])("%s is named", (_name, changes, signer, message) => {
    expect(found(withSecondCheckpoint(changes, signer))).toMatch(message);
  });

  it("with the old key, chained behind one with the new, is named", () => {
    const [, second] = voiceCheckpoints() as [number, number];
    const open = encodeCheckpoint({ ...checkpointAt(second), final: false }, LATER_MEDIA);
    const third = encodeCheckpoint(
      {
        ...checkpointAt(second),
        ...{ keyGeneration: 0, index: 2, previous: checkpointDigest(open), digests: [] },
        ...{ firstSequence: LATER_FRAME + FRAMES, totalFrames: FRAMES },
      },
      ALICE.media,
    );
    const line = (bytes: Uint8Array) =>
      ({ kind: "checkpoint", of: "caller", bytes: encodeBase64url(bytes) }) as const;
    const lines = inserted(LINES.with(second, line(open)), second + 1, line(third));
    expect(found(lines)).toMatch(/signed with a key that the one before it had replaced/);
  });

  it("a receipt with the old key, chained behind one with the new, is named", () => {
    const receipts = LINES.flatMap((line, at) => {
      if (line.kind !== "receipt" || line.of !== "caller") return [];
      const bytes = decodeBase64url(line.bytes);
      const parsed = bytes.ok ? parseReceipt(bytes.value) : undefined;
      return parsed?.ok ? [{ at, receipt: parsed.value }] : [];
    });
    const newest = receipts.filter(({ receipt }) => receipt.keyGeneration === 1).at(-1);
    if (newest === undefined) throw new Error("no receipt has the new key");
    const { at, receipt } = newest;
    const open = encodeReceipt({ ...receipt, final: false }, LATER_MEDIA);
    const next = encodeReceipt(
      {
        ...receipt,
        ...{ keyGeneration: 0, index: receipt.index + 1, previous: receiptDigest(open) },
        ...{ received: [], heard: [] },
      },
      ALICE.media,
    );
    const line = (bytes: Uint8Array) =>
      ({ kind: "receipt", of: "caller", bytes: encodeBase64url(bytes) }) as const;
    const lines = inserted(LINES.with(at, line(open)), at + 1, line(next));
    expect(found(lines)).toMatch(/signed with a key that the one before it had replaced/);
  });

  it("spliced in from another call is named", () => {
    const at = voiceCheckpoints()[1] as number;
    expect(found(LINES.with(at, OTHER[at] as EvidenceLine))).toMatch(
      /another session|signature|chain breaks/,
    );
  });

  it("an interrupt with the old key, which by the records came later, is named", () => {
    const [place] = placesOf(LINES, "interrupt") as [number];
    const bytes = laterInterrupt(CALL, { keyGeneration: 0 }, ALICE.media);
    const named = RECORD_LINES.findIndex((at) => {
      const line = LINES[at];
      return line?.kind === "record" && must(readRecord(line.jws)).event === "media-interrupted";
    });
    const lines = withRecord(named, { interrupt: encodeHex(interruptDigest(bytes)) });
    const changed = lines.with(place, { kind: "interrupt", of: "caller", bytes: encodeBase64url(bytes) });
    expect(found(changed)).toMatch(/generation 0 was not the key in force when it came/);
  });
});

it("a closing statement that counts what an older key signed is named", () => {
  const at = placesOf(LINES, "closing")[0] as number;
  const line = LINES[at];
  const said = must(readSigned(line?.kind === "closing" ? line.jws : "", CLOSING));
  expect(said.generation).toBe(1);
  const { generation: _newest, ...older } = said;
  const changed = LINES.with(at, {
    kind: "closing",
    of: "caller",
    jws: makeClosing(older, ALICE.identity),
  });
  expect(found(changed)).toMatch(/closed with media key 0, the last one in the file is 1/);
});

describe("a kept frame", () => {
  const evidence = verifyEvidence(CALL.evidence, ANCHORS, verifier);
  const frame = (sequence: number, keyGeneration: number, signer: Signer) => {
    const capture = unixMsToNtp(CALL_TIME);
    const packet = buildFrame({
      ...{ profile: "frame", keyGeneration, sequence, payloadType: 111, timestamp: 0, ssrc: 1 },
      ...{ captureSeconds: capture.seconds, captureFraction: capture.fraction },
      payload: Uint8Array.of(9),
    });
    signFrame(new FrameSigningContext(CALL.core.digest, 0, 0), packet, signer);
    return { leg: 0, stream: 0, packet };
  };

  it.each<[string, number, number, Signer, RegExp]>([
    [
      "of the old key, sent after one of the new",
      LATER_FRAME + FRAMES,
      0,
      ALICE.media,
      /generation 0, and sent after/,
    ],
    ["of the old key in the new one's name", LATER_FRAME - 1, 1, ALICE.media, /not signed for this call/],
    ["of a key that never was", LATER_FRAME - 1, 2, LATER_MEDIA, /not signed for this call/],
    ["in the place of a listed one", LATER_FRAME, 1, LATER_MEDIA, /lists another frame in its place/],
  ])("%s is named", (_name, sequence, generation, signer, message) => {
    const { faults } = verifyMedia([...CALL.kept, frame(sequence, generation, signer)], evidence, verifier);
    expect(faults.map((fault) => fault.message).join("\n")).toMatch(message);
  });
});

it("a kept frame of the old key that a checkpoint with the new one lists is named", () => {
  const capture = unixMsToNtp(CALL_TIME);
  const packet = buildFrame({
    ...{ profile: "frame", keyGeneration: 0, sequence: LATER_FRAME, payloadType: 111, timestamp: 0, ssrc: 1 },
    ...{ captureSeconds: capture.seconds, captureFraction: capture.fraction },
    payload: Uint8Array.of(9),
  });
  const context = new FrameSigningContext(CALL.core.digest, 0, 0);
  signFrame(context, packet, ALICE.media);
  const view = new FrameView();
  expect(parseFrame(packet, 0, view)).toBeUndefined();
  const at = voiceCheckpoints()[1] as number;
  const digests = checkpointAt(at).digests.with(0, frameDigest(context.signedBytes(packet, view)));
  const evidence = judged(withSecondCheckpoint({ digests }, LATER_MEDIA));
  const { faults } = verifyMedia([{ leg: 0, stream: 0, packet }], evidence, verifier);
  expect(faults.map(({ message }) => message)).toEqual([
    "Of key generation 0, and listed by a checkpoint of generation 1.",
  ]);
});

describe("records of a life that cannot have been", () => {
  it.each<[string, readonly EvidenceLine[], RegExp]>([
    [
      "that resume what was not suspended",
      withRecord(3, { suspension_id: "s2" }),
      /resumes what was not suspended/,
    ],
    ["that suspend twice", withRecord(3, { suspension_id: "s2" }, "session-suspended"), /suspended already/],
    ["that attach an end anew under an old number", withRecord(7, { attach_seq: 1 }), /does not rise/],
    [
      "that name another key generation",
      withRecord(7, { generation: 0 }),
      /names key generation 0; in force is 1/,
    ],
    ["that name no end", withRecord(4, { leg: 2 }), /names no end/],
  ])("%s are named", (_name, lines, message) => {
    expect(found(lines)).toMatch(message);
  });

  it("without the one that says the server was started anew do not hold", () => {
    expect(found(without(LINES, RECORD_LINES[6] as number))).toMatch(
      /countersigned a record that is not in the file/,
    );
  });
});
