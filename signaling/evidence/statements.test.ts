/** Checkpoints and receipts that an end itself signed, and that do not fit together: whoever signs nonsense is named. */
import { describe, expect, it } from "vitest";
import { encodeBase64url } from "../../codecs/base64url.ts";
import { type Checkpoint, encodeCheckpoint, parseCheckpoint } from "../../codecs/checkpoint.ts";
import {
  encodeReceipt,
  type PlayedPosition,
  parseReceipt,
  type Receipt,
  receiptDigest,
} from "../../codecs/receipt.ts";
import { contentLines, placesOf, resigned, streamOf } from "../../test/evidence-edit.ts";
import { strictVerifier } from "../../test/keys.ts";
import { ANCHORS, loggedCall } from "../../test/logged-call.ts";
import { ALICE, BOB, must, SERVER } from "../../test/signed-call.ts";
import type { EvidenceLine } from "./lines.ts";
import { verifyEvidence } from "./verify.ts";

/** Without closing statements, so that only the chains themselves can give something away. */
const LINES = contentLines(loggedCall({ closes: [] }).evidence);

function faultsWith(at: number, bytes: Uint8Array, lines: readonly EvidenceLine[] = LINES) {
  const file = resigned(withBytes(lines, at, bytes), SERVER.identity, 0);
  return verifyEvidence(file, ANCHORS, strictVerifier).report.faults;
}

function withBytes(lines: readonly EvidenceLine[], at: number, bytes: Uint8Array): EvidenceLine[] {
  return lines.with(at, { ...lines[at], bytes: encodeBase64url(bytes) } as EvidenceLine);
}

function bytesAt(at: number): Uint8Array {
  const line = LINES[at];
  return line?.kind === "checkpoint" || line?.kind === "receipt"
    ? Uint8Array.from(Buffer.from(line.bytes, "base64url"))
    : new Uint8Array(0);
}

/** Place of the caller's `nth` line of a kind: about its own voice, or about the callee's. */
function nth(kind: "checkpoint" | "receipt", index: number): number {
  const about = kind === "checkpoint" ? "0/0" : "1/0";
  return placesOf(LINES, kind).filter((at) => streamOf(LINES[at]) === about)[index] as number;
}

describe("a speaker's checkpoint", () => {
  const at = nth("checkpoint", 1);
  const honest = must(parseCheckpoint(bytesAt(at)));
  const faults = (changes: Partial<Checkpoint>) =>
    faultsWith(at, encodeCheckpoint({ ...honest, ...changes }, ALICE.media));

  it("signed again as it was changes nothing", () => {
    expect(faults({})).toEqual([]);
  });

  it.each([
    ["of another session", { sessionDigest: new Uint8Array(32) }, /another session or leg/],
    ["of the other leg", { leg: 1 }, /another session or leg/],
    ["of another key generation", { keyGeneration: 1 }, /key generation that nobody presented/],
    ["of a stream nobody agreed on", { stream: 9 }, /not agreed/],
    ["out of its place", { index: 2 }, /missing, added or moved/],
    ["after another one", { previous: new Uint8Array(32).fill(1) }, /missing, added or moved/],
    ["that leaves frames out", { firstSequence: honest.firstSequence + 1 }, /does not go on/],
    ["that counts wrong", { totalFrames: honest.totalFrames + 1 }, /does not add up/],
    ["that says it is the last", { final: true }, /follows the final one|missing, added/],
  ] as const)("%s is named", (_name, changes, message) => {
    const found = faults(changes);
    expect(found.map((fault) => fault.message).join("\n")).toMatch(message);
    expect(found[0]?.at).toMatch(/^line \d+/);
  });

  it("signed by anybody else is named", () => {
    const [fault] = faultsWith(at, encodeCheckpoint(honest, BOB.media));
    expect(fault).toMatchObject({
      message: "The signature does not hold.",
      at: expect.stringMatching(/^line \d+/),
    });
  });
});

describe("a listener's receipt", () => {
  const first = nth("receipt", 0);
  const last = nth("receipt", 2);
  const resignedReceipt = (at: number, changes: (honest: Receipt) => Partial<Receipt>) => {
    const honest = must(parseReceipt(bytesAt(at)));
    return faultsWith(at, encodeReceipt({ ...honest, ...changes(honest) }, ALICE.media)).map(
      ({ message }) => message,
    );
  };

  it.each([
    ["of another session", () => ({ sessionDigest: new Uint8Array(32) }), /another session or leg/],
    ["of another key generation", () => ({ keyGeneration: 1 }), /key generation that nobody presented/],
    ["of a stream nobody agreed on", () => ({ stream: 9 }), /not agreed/],
    ["of what it said itself", () => ({ speakerLeg: 0 }), /not agreed/],
    [
      "out of its place",
      () => ({ index: 1, previous: new Uint8Array(32).fill(1) }),
      /missing, added or moved/,
    ],
    ["that says it is the last", () => ({ final: true }), /follows the final one|missing, added/],
  ] as const)("%s is named", (_name, changes, message) => {
    expect(resignedReceipt(first, changes).join("\n")).toMatch(message);
  });

  it("for frames that the speaker never sent is named", () => {
    const beyond = ({ received, totals }: Receipt) => ({
      received: [...received, { first: 80_000, last: 80_000 }],
      totals: { ...totals, received: totals.received + 1 },
    });
    expect(resignedReceipt(last, beyond).join("\n")).toMatch(/80000 to 80000.*do not cover/);
    const more = ({ totals }: Receipt) => ({ totals: { ...totals, received: totals.received + 1 } });
    expect(resignedReceipt(last, more).join("\n")).toMatch(/signed for 10 frames, the speaker for 9/);
  });

  it("that says how far was played is believed where nothing speaks against it, and else named", () => {
    const second = nth("receipt", 1);
    const before = must(parseReceipt(bytesAt(second)));
    const after = must(parseReceipt(bytesAt(last)));
    const heardLast = before.heard.at(-1)?.last ?? 0;
    const time = { seconds: before.time.seconds, fraction: 0 };
    const played = { sequence: heardLast, samples: 100, epoch: 1, time };
    const changed = encodeReceipt({ ...before, played }, ALICE.media);
    const previous = receiptDigest(changed);
    const lines = withBytes(LINES, second, changed);
    const faults = (next: Receipt["played"]) =>
      faultsWith(last, encodeReceipt({ ...after, previous, played: next }, ALICE.media), lines)
        .map(({ message }) => message)
        .join("\n");
    const later = { ...time, seconds: time.seconds + 1 };
    expect(faults({ ...played, sequence: heardLast + 1, samples: 5, time: later })).toEqual("");
    expect(faults(played)).toEqual("");
    for (const less of [
      { samples: 99 },
      { sequence: heardLast - 1 },
      { time: { ...time, seconds: time.seconds - 1 } },
    ]) {
      expect(faults({ ...played, ...less })).toMatch(/less was played/);
    }
    expect(faults(undefined)).toMatch(/less was played/);
    expect(faults({ ...played, sequence: 80_000, time: later })).toMatch(/never received/);
  });

  it("whose ranges and totals differ is named", () => {
    const fewer = ({ totals }: Receipt) => ({ totals: { ...totals, heard: totals.heard - 1 } });
    expect(resignedReceipt(last, fewer).join("\n")).toMatch(/more frames than its totals/);
  });

  it.each<[string, (honest: Receipt) => Partial<Receipt>, RegExp]>([
    [
      "says that more of a frame was played than it has",
      (honest) => ({ played: playedOf(honest, { samples: 961 }) }),
      /961 samples of a frame were played that has 960\. \[line \d+, receipt 2/,
    ],
    [
      "says that a frame was played in another epoch than its speaker signed",
      (honest) => ({ played: playedOf(honest, { epoch: 7 }) }),
      /of media epoch 7; its speaker signed \d\. \[line \d+, receipt 2/,
    ],
    [
      "says that a frame was played that was not received",
      (honest) => ({ played: playedOf(honest, { sequence: 12 }) }),
      /frame 12 was played, which the listener never received\. \[line \d+, receipt 2/,
    ],
    [
      "counts more as heard than as received",
      ({ totals }) => ({ totals: { ...totals, heard: totals.received + 1 } }),
      /more frames as heard than as received\. \[line \d+, receipt 2/,
    ],
    [
      "says that a frame was heard that lies in a hole of what was received",
      ({ received, totals }) => ({
        received: received.map((range) => ({ ...range, first: range.first + 1 })),
        totals: { ...totals, received: totals.received - 1, heard: totals.heard - 1 },
      }),
      /heard frames that it never received\. \[line \d+, receipt 2/,
    ],
  ])("that %s is named by its line", (_name, changes, message) => {
    const honest = must(parseReceipt(bytesAt(last)));
    const bytes = encodeReceipt({ ...honest, ...changes(honest) }, ALICE.media);
    const faults = faultsWith(last, bytes).map((fault) => `${fault.message} [${fault.at}]`);
    expect(faults.join("\n")).toMatch(message);
    const right = encodeReceipt({ ...honest, played: playedOf(honest, {}) }, ALICE.media);
    expect(faultsWith(last, right)).toEqual([]);
  });

  it("that goes back in media epochs is named", () => {
    const second = nth("receipt", 1);
    const before = must(parseReceipt(bytesAt(second)));
    const changed = encodeReceipt({ ...before, played: playedOf(before, { epoch: 3 }) }, ALICE.media);
    const lines = withBytes(LINES, second, changed);
    const honest = must(parseReceipt(bytesAt(last)));
    const after = { ...honest, previous: receiptDigest(changed), played: playedOf(honest, {}) };
    const messages = faultsWith(last, encodeReceipt(after, ALICE.media), lines).map(({ message }) => message);
    expect(messages.join("\n")).toMatch(/less was played/);
  });
});

/** The last frame of a receipt as played whole, or otherwise. */
function playedOf({ received, time }: Receipt, changes: Partial<PlayedPosition>): PlayedPosition {
  const sequence = received.at(-1)?.last ?? 0;
  return { sequence, samples: 960, epoch: 1, time, ...changes };
}
