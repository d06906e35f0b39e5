import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_WAITING_PACKETS, MISSING_PACKET_MS, RtpOrder } from "./rtp-order.ts";

const packet = (index: number) => ({ sequence: (65_500 + index) & 0xffff, index });

/** What comes out when packets come every 20 ms, with how many were missing before each. */
function run(order: RtpOrder<{ sequence: number; index: number }>, indices: readonly number[]) {
  const out: (readonly [number, number])[] = [];
  const take = (now: number) => {
    for (let one = order.next(now); one !== undefined; one = order.next(now))
      out.push([one.packet.index, one.missing]);
  };
  indices.forEach((index, at) => {
    order.insert(packet(index), at * 20);
    take(at * 20);
  });
  for (let due = order.nextTimeout(); due !== undefined; due = order.nextTimeout()) take(due);
  return out;
}

describe("packets that each stand for themselves", () => {
  it("go on in order, once each, and tell how many before them did not come", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(2), { minLength: 5, maxLength: 20 }),
        fc.array(fc.nat(99), { maxLength: 20 }),
        (shifts, lost) => {
          const sent = Array.from({ length: 100 }, (_, index) => index);
          const came = sent
            .filter((index) => index === 0 || !lost.includes(index))
            .flatMap((index) => (index % 9 === 0 ? [index, index] : [index]))
            .map((index, at) => ({ index, at: at === 0 ? 0 : at + (shifts[at % shifts.length] as number) }))
            .sort((a, b) => a.at - b.at)
            .map(({ index }) => index);
          const order = new RtpOrder<ReturnType<typeof packet>>();
          const out = run(order, came);
          let expected = 0;
          for (const [index, missing] of out) {
            expect(index).toBe(expected + missing);
            expected = index + 1;
          }
          const { received, late } = order.counters;
          expect(out).toHaveLength(received);
          expect(received + late).toBeGreaterThanOrEqual(new Set(came).size);
        },
      ),
    );
  });

  it("wait for one that is missing for so long, and not for one that comes after that", () => {
    const order = new RtpOrder<ReturnType<typeof packet>>();
    order.insert(packet(0), 0);
    expect(order.next(0)?.packet.index).toBe(0);
    order.insert(packet(2), 40);
    expect(order.next(40)).toBeUndefined();
    expect(order.nextTimeout()).toBe(40 + MISSING_PACKET_MS);
    expect(order.next(40 + MISSING_PACKET_MS)).toEqual({ packet: packet(2), missing: 1, arrivedAt: 40 });
    order.insert(packet(1), 101);
    expect(order.next(101)).toBeUndefined();
    expect(order.counters).toMatchObject({ late: 1, missing: 1 });
  });

  it("go on without what they wait for where more wait than may", () => {
    const order = new RtpOrder<ReturnType<typeof packet>>();
    order.insert(packet(0), 0);
    order.next(0);
    for (let index = 2; index < 2 + MAX_WAITING_PACKETS; index += 1) order.insert(packet(index), 0);
    expect(order.next(0)).toBeUndefined();
    order.insert(packet(2 + MAX_WAITING_PACKETS), 0);
    expect(order.next(0)).toMatchObject({ missing: 1 });
  });

  it("begin anew with a sender that does", () => {
    const order = new RtpOrder<ReturnType<typeof packet>>();
    const out = run(order, [0, 1, 2, 30_000, 30_001, 30_002]);
    expect(out).toEqual([0, 1, 2, 30_001, 30_002].map((index) => [index, 0]));
    expect(order.counters).toMatchObject({ restarts: 1, stray: 1 });
  });

  it("begin anew also where its numbers are lower than before", () => {
    const order = new RtpOrder<ReturnType<typeof packet>>();
    const out = run(order, [5_000, 5_001, 100, 101, 102]);
    expect(out.map(([index]) => index)).toEqual([5_000, 5_001, 101, 102]);
    expect(order.counters).toMatchObject({ restarts: 1, stray: 1 });
  });
});
