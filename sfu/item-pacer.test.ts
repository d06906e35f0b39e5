import { describe, expect, it } from "vitest";
import { encodeStreamItems } from "../codecs/stream-items.ts";
import { ItemPacer } from "./item-pacer.ts";

function scene() {
  const state = { isReported: true, isFull: false, abandoned: [] as number[][] };
  const written: number[] = [];
  const taken: ((isTaken: boolean) => void)[] = [];
  const pacer = new ItemPacer<"held">({
    ssrc: 7,
    write: (bytes) => {
      written.push(...bytes);
      return new Promise((resolve) => taken.push(resolve));
    },
    isReported: () => state.isReported,
    isFull: () => state.isFull,
    abandon: (first, count) => void state.abandoned.push([first, count]),
    wake: () => {},
  });
  /** The carrier takes everything. */
  const settle = async (isTaken = true) => {
    for (const resolve of taken.splice(0)) resolve(isTaken);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { state, written, pacer, settle };
}

const LONG = encodeStreamItems([new Uint8Array(2_500).fill(1)]);
const SHORT = encodeStreamItems([new Uint8Array(10).fill(2)]);

describe("items in pieces", () => {
  it("leave whole and in order, numbered through, and each is done when the carrier took all of it", async () => {
    const { written, pacer, settle } = scene();
    const done: string[] = [];
    void pacer.add(LONG, 0, true).then((fate) => done.push(`long ${fate}`));
    void pacer.add(SHORT, 0, true).then((fate) => done.push(`short ${fate}`));
    const sequences: number[] = [];
    for (let piece = pacer.next(0); piece !== undefined; piece = pacer.next(0)) {
      expect(piece.rank).toBe("reliable");
      sequences.push(piece.packet.sequence);
      pacer.send(0);
      if (sequences.length === 2) await settle();
      if (sequences.length === 2) expect(done).toEqual([]);
    }
    await settle();
    expect(sequences).toEqual([0, 1, 2, 3]);
    expect(written).toEqual([...LONG, ...SHORT]);
    expect(done).toEqual(["long sent", "short sent"]);
  });

  it("need no turn where they are small and few and none waits", async () => {
    const { written, pacer, settle } = scene();
    const small = encodeStreamItems([new Uint8Array(500)]);
    const { length } = small;
    for (let count = 1; count <= 7; count += 1) {
      void pacer.add(small, 0, true);
      expect([pacer.next(0), written.length]).toEqual([undefined, count * length]);
      await settle();
    }
    // The eighth in one moment is a load: it has its turn, and its number.
    void pacer.add(small, 0, true);
    expect(pacer.next(0)?.packet.sequence).toBe(7);
    pacer.send(0);
    void pacer.add(small, 200, true);
    expect(pacer.next(200)).toBeUndefined();
    void pacer.add(LONG, 2_000, true);
    expect(pacer.next(2_000)?.packet.sequence).toBe(9);
  });

  it("wait while the carrier takes nothing, and where they have their part of the way", async () => {
    const { state, pacer, settle } = scene();
    void pacer.add(encodeStreamItems([new Uint8Array(60_000)]), 0, true);
    let count = 0;
    for (; pacer.next(0) !== undefined; count += 1) pacer.send(0);
    expect(count).toBe(15);
    expect(pacer.overdueAt).toBeUndefined();
    await settle();
    expect(pacer.next(0)).toBeDefined();
    state.isFull = true;
    expect(pacer.next(0)).toBeUndefined();
    expect(pacer.overdue(999)).toBeUndefined();
    expect(pacer.overdue(1_000)?.packet.sequence).toBe(15);
  });

  it("leave at once where the peer reports on none of them", async () => {
    const { state, written, pacer } = scene();
    state.isReported = false;
    void pacer.add(LONG, 0, true);
    pacer.send(0);
    expect(pacer.next(2_000)).toBeDefined();
    expect(pacer.next(2_001)).toBeUndefined();
    expect(state.abandoned).toEqual([[0, 1]]);
    void pacer.add(SHORT, 2_002, true);
    expect(written).toEqual([...LONG, ...SHORT]);
  });

  it("count on in pieces where they leave without turns, and have to be reported on anew after that", async () => {
    const { state, written, pacer, settle } = scene();
    state.isReported = false;
    void pacer.add(LONG, 0, true);
    pacer.send(0);
    void pacer.add(SHORT, 0, true);
    pacer.flush();
    expect(written).toEqual([...LONG, ...SHORT]);
    await settle();
    void pacer.add(LONG, 10_000, true);
    expect(pacer.next(10_000)?.packet.sequence).toBe(4);
    pacer.send(10_000);
    expect(pacer.next(12_000)).toBeDefined();
    expect(pacer.next(12_001)).toBeUndefined();
  });

  it("are taken back as far as they have not begun to leave", async () => {
    const { written, pacer, settle } = scene();
    const fates = [LONG, SHORT, LONG].map((item) => pacer.add(item, 0, true));
    pacer.send(0);
    pacer.takeBack("held");
    for (let piece = pacer.next(0); piece !== undefined; piece = pacer.next(0)) pacer.send(0);
    await settle();
    expect(await Promise.all(fates)).toEqual(["sent", "held", "held"]);
    expect(written).toEqual([...LONG]);
    const waiting = pacer.add(LONG, 10, true);
    pacer.takeBack("held");
    expect([await waiting, pacer.next(10), pacer.overdueAt]).toEqual(["held", undefined, undefined]);
  });

  it("fail together when the carrier takes no more", async () => {
    const { pacer, settle } = scene();
    const both = [pacer.add(LONG, 0, true), pacer.add(SHORT, 0, true)];
    pacer.send(0);
    await settle(false);
    expect(await Promise.all(both)).toEqual(["closed", "closed"]);
    expect(await pacer.add(SHORT, 1, true)).toBe("closed");
  });
});
