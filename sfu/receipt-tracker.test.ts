import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { unixMsToNtp } from "../codecs/ntp.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import {
  MAX_RECEIPT_RANGES,
  parseReceipt,
  type Receipt,
  receiptDigest,
  verifyReceipt,
} from "../codecs/receipt.ts";
import { seedSigner, strictVerifier } from "../test/keys.ts";
import { WALL } from "../test/relay-scene.ts";
import { RECEIPT_INTERVAL, ReceiptTracker } from "./receipt-tracker.ts";
import { MAX_SEQUENCE_RANGES, SequenceRanges } from "./sequence-ranges.ts";

const signer = seedSigner(41);
const START = 2 ** 32 - 2;

function tracker(atLatest?: { readonly messages: number; readonly bytes: number }): ReceiptTracker {
  return new ReceiptTracker({
    sessionDigest: new Uint8Array(32).fill(0xee),
    listenerLeg: 1,
    speakerLeg: 0,
    stream: 3,
    keyGeneration: 0,
    signer,
    start: 500,
    ...(atLatest === undefined ? {} : { atLatest }),
  });
}

function read(bytes: Uint8Array | undefined): Receipt {
  expect(bytes).toBeDefined();
  const parsed = parseReceipt(bytes ?? new Uint8Array(0));
  if (!parsed.ok) throw new ParleyError(parsed.fault);
  expect(verifyReceipt(bytes ?? new Uint8Array(0), signer.publicKey, strictVerifier)).toBe(true);
  return parsed.value;
}

const numbers = (ranges: readonly { first: number; last: number }[]): number[] =>
  ranges.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, index) => first + index));

describe("sequence ranges", () => {
  it("hold exactly the numbers put in, sorted, disjoint and not touching", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: START - 60, max: START + 60 }), { maxLength: 150 }), (added) => {
        const ranges = new SequenceRanges();
        for (const sequence of added) expect(ranges.add(sequence)).toBe(true);
        const size = ranges.size;
        const taken = ranges.take(1000);
        expect(taken).toHaveLength(size);
        expect(numbers(taken)).toEqual([...new Set(added)].sort((a, b) => a - b));
        for (let index = 1; index < taken.length; index++) {
          expect(taken[index]?.first).toBeGreaterThan((taken[index - 1]?.last ?? 0) + 1);
        }
        expect(ranges.size).toBe(0);
      }),
    );
  });

  it("take in no new range at their cap, and still grow those they have", () => {
    const ranges = new SequenceRanges();
    for (let index = 0; index < MAX_SEQUENCE_RANGES; index++) expect(ranges.add(index * 3)).toBe(true);
    expect(ranges.add(MAX_SEQUENCE_RANGES * 3)).toBe(false);
    expect(ranges.add(1)).toBe(true);
    expect(ranges.size).toBe(MAX_SEQUENCE_RANGES);
  });
});

describe("the receipt tracker", () => {
  it("signs every ten seconds what is new, chained, with totals that go on", () => {
    const listener = tracker();
    expect(listener.nextTimeout()).toBe(500 + RECEIPT_INTERVAL);
    for (const index of [0, 1, 3]) listener.received(START + index);
    for (const index of [0, 3]) listener.heard(START + index);
    listener.concealed();
    listener.late();
    listener.refused();
    expect(listener.poll(499 + RECEIPT_INTERVAL, WALL)).toBeUndefined();
    const firstBytes = listener.poll(500 + RECEIPT_INTERVAL, WALL);
    const first = read(firstBytes);
    expect(first).toMatchObject({ index: 0, final: false, listenerLeg: 1, speakerLeg: 0, stream: 3 });
    expect(first.totals).toEqual({ received: 3, heard: 2, concealed: 1, late: 1, refused: 1 });
    expect(numbers(first.received)).toEqual([START, START + 1, START + 3]);
    expect(numbers(first.heard)).toEqual([START, START + 3]);
    expect(listener.poll(500 + RECEIPT_INTERVAL, WALL)).toBeUndefined();

    listener.received(START + 2);
    const [lastBytes, ...more] = listener.finish(WALL + 30_000);
    expect(more).toEqual([]);
    const last = read(lastBytes);
    expect(last).toMatchObject({ index: 1, final: true, heard: [] });
    expect(last.previous).toEqual(receiptDigest(firstBytes ?? new Uint8Array(0)));
    expect(numbers(last.received)).toEqual([START + 2]);
    expect(last.totals.received).toBe(4);
    expect(listener.poll(1e9, WALL)).toBeUndefined();
    expect(listener.nextTimeout()).toBeUndefined();
    expect(() => listener.finish(WALL)).toThrow(ParleyError);
  });

  it("states at once, when asked, how far was played, and in every receipt from then on", () => {
    const listener = tracker();
    listener.received(START);
    expect(read(listener.state(700, WALL)).played).toBeUndefined();
    listener.playedTo({ sequence: START, samples: 480, epoch: 2, time: WALL - 5 });
    const asked = read(listener.state(2_000, WALL));
    expect(asked.played).toEqual({ sequence: START, samples: 480, epoch: 2, time: unixMsToNtp(WALL - 5) });
    // The next one is due an interval after that.
    expect(listener.nextTimeout()).toBe(2_000 + RECEIPT_INTERVAL);
    const [last] = listener.finish(WALL);
    expect(read(last)).toMatchObject({ index: 2, final: true, played: asked.played });
    expect(listener.state(3_000, WALL)).toBeUndefined();
  });

  it("signs sooner where so many messages or bytes came, counted from the last receipt", () => {
    const listener = tracker({ messages: 3, bytes: 1_000 });
    const came = (count: number, bytes: number) => {
      for (let at = 0; at < count; at += 1) listener.received(next++, bytes);
      return listener.poll(600, WALL) !== undefined;
    };
    let next = START;
    expect([came(2, 10), came(1, 10), came(1, 999), came(1, 1), came(2, 10), came(1, 10)]).toEqual([
      ...[false, true, false, true],
      ...[false, true],
    ]);
    expect(listener.finish(WALL)).toHaveLength(1);
  });

  it("stays small where much is lost: the way may be thin", () => {
    const listener = tracker();
    const sizes: number[] = [];
    for (let index = 0; index < 500; index += 1) {
      if (index % 5 < 3) continue;
      listener.received(START + index);
      listener.heard(START + index);
      const bytes = listener.poll(600, WALL);
      if (bytes !== undefined) sizes.push(bytes.length);
    }
    expect(sizes).toHaveLength(4);
    expect(Math.max(...sizes)).toBeLessThan(900);
  });

  it("signs sooner when the ranges would not fit one receipt, and leaves none out", () => {
    const listener = tracker();
    const scattered = Array.from({ length: MAX_RECEIPT_RANGES * 2 + 10 }, (_, index) => START + index * 2);
    const said: number[] = [];
    for (const sequence of scattered) {
      listener.received(sequence);
      for (let bytes = listener.poll(600, WALL); bytes !== undefined; bytes = listener.poll(600, WALL)) {
        said.push(...numbers(read(bytes).received));
      }
    }
    expect(said.length).toBeGreaterThan(0);
    for (const bytes of listener.finish(WALL)) said.push(...numbers(read(bytes).received));
    expect(said).toEqual(scattered);
  });

  it("ends with as many receipts as it takes, only the last of them final", () => {
    const listener = tracker();
    for (let index = 0; index < MAX_RECEIPT_RANGES * 3; index++) {
      listener.received(START + index * 2);
      if (index % 2 === 0) listener.heard(START + index * 2);
    }
    const receipts = listener.finish(WALL).map(read);
    expect(receipts.map((receipt) => receipt.final)).toEqual([false, false, true]);
    expect(receipts.flatMap((receipt) => numbers(receipt.heard))).toHaveLength((MAX_RECEIPT_RANGES * 3) / 2);
  });
});
