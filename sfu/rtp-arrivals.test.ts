import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type RtpArrival, RtpArrivals } from "./rtp-arrivals.ts";

interface Numbered extends RtpArrival {
  readonly sequence: number;
}

/** Has the packet of that number wait; undefined where it is none to wait for. */
function insert(arrivals: RtpArrivals<Numbered>, sequence: number, arrivedAt = 0): Numbered | undefined {
  const spot = arrivals.place(sequence & 0xffff);
  if (spot === undefined) return undefined;
  const arrival = { sequence, place: spot.place, arrivedAt };
  arrivals.put(spot, arrival);
  return arrival;
}

function arrivalsOf(...sequences: readonly number[]): RtpArrivals<Numbered> {
  const arrivals = new RtpArrivals<Numbered>();
  for (const sequence of sequences) insert(arrivals, sequence);
  return arrivals;
}

function numbers(arrivals: readonly Numbered[]): number[] {
  return arrivals.map(({ sequence }) => sequence);
}

describe("the packets of one source that wait", () => {
  it("are in the order of their numbers, each once, also where these wrap", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(900), { minLength: 1, maxLength: 80 }), (offsets) => {
        const sequences = offsets.map((offset) => 65_100 + offset);
        const arrivals = arrivalsOf(...sequences);
        const distinct = [...new Set(sequences)].sort((a, b) => a - b);
        expect(numbers(arrivals.waiting)).toEqual(distinct);
        const [first] = arrivals.waiting as [Numbered];
        for (const { place, sequence } of arrivals.waiting)
          expect(place - first.place).toBe(sequence - first.sequence);
        expect(arrivals.counters).toEqual({
          ...{ received: distinct.length, duplicate: sequences.length - distinct.length },
          ...{ late: 0, stray: 0, restarts: 0 },
        });
      }),
    );
  });

  it("are counted once they are placed, whether or not they are to wait", () => {
    const arrivals = new RtpArrivals<Numbered>();
    expect(arrivals.place(7)).toMatchObject({ index: 0, isRestart: false });
    expect(arrivals.waiting).toEqual([]);
    expect(arrivals.counters.received).toBe(1);
  });

  it("came at the earliest when the first of them came, whatever its number", () => {
    const arrivals = new RtpArrivals<Numbered>();
    expect(arrivals.earliest()).toBe(Number.POSITIVE_INFINITY);
    for (const [at, sequence] of [5, 9, 7, 6].entries()) insert(arrivals, sequence, 100 + at);
    expect([0, 1, 3, 4].map((from) => arrivals.earliest(from))).toEqual([
      100,
      101,
      101,
      Number.POSITIVE_INFINITY,
    ]);
  });
});

describe("a packet whose turn is over", () => {
  it("is late: one that was taken, and what belongs before it", () => {
    const arrivals = arrivalsOf(10, 12, 14);
    expect(arrivals.passed).toBeUndefined();
    expect(insert(arrivals, 9)).toBeDefined();
    expect(numbers(arrivals.take(3))).toEqual([9, 10, 12]);
    expect(arrivals.passed).toBe((arrivals.waiting[0] as Numbered).place - 1);
    for (const sequence of [8, 9, 11, 12]) expect(insert(arrivals, sequence)).toBeUndefined();
    expect(insert(arrivals, 13)).toBeDefined();
    expect(numbers(arrivals.waiting)).toEqual([13, 14]);
    expect(arrivals.counters).toMatchObject({ late: 4, duplicate: 0, received: 5 });
  });

  it("is late also where nobody waits for it any more", () => {
    const arrivals = arrivalsOf(10, 14);
    arrivals.take(1);
    const [first] = arrivals.waiting as [Numbered];
    arrivals.passTo(first.place);
    expect(insert(arrivals, 13)).toBeUndefined();
    expect(arrivals.counters.late).toBe(1);
  });

  it("is none where nothing was taken", () => {
    const arrivals = arrivalsOf(10);
    expect(arrivals.take(0)).toEqual([]);
    expect(insert(arrivals, 4)).toBeDefined();
    expect(arrivals.counters.late).toBe(0);
  });
});

describe("a number that is far from all others", () => {
  it.each([30_000, 65_000])("is passed over where it comes alone (%i)", (odd) => {
    const arrivals = arrivalsOf(5_000, odd, 5_001, odd + 1);
    expect(numbers(arrivals.waiting)).toEqual([5_000, 5_001]);
    expect(arrivals.counters).toMatchObject({ received: 2, stray: 2, restarts: 0 });
  });

  it.each([30_000, 100])("is of a sender that began anew where the next one follows (%i)", (begun) => {
    const arrivals = arrivalsOf(5_000, 5_001, 5_003);
    const [before] = arrivals.take(1) as [Numbered];
    insert(arrivals, begun);
    const spot = arrivals.place(begun + 1);
    expect(spot).toMatchObject({ index: 0, isRestart: true });
    expect(spot?.place).toBeGreaterThan(before.place + 3);
    expect(arrivals.waiting).toEqual([]);
    expect(arrivals.passed).toBeUndefined();
    expect(arrivals.counters).toMatchObject({ received: 4, stray: 1, restarts: 1 });
    // What the new one sent before that may still come; what the old one sent is far from all others now.
    expect(insert(arrivals, begun)).toBeDefined();
    expect(insert(arrivals, 5_002)).toBeUndefined();
    expect(arrivals.counters).toMatchObject({ late: 0, stray: 2 });
  });

  it.each([
    { from: 5_000, number: 5_000 + 3_000, isTaken: true },
    { from: 5_000, number: 5_000 + 3_001, isTaken: false },
    { from: 5_000, number: 5_000 - 1_000, isTaken: true },
    { from: 5_000, number: 5_000 - 1_001, isTaken: false },
  ])("is so many ahead, or so many behind: $number after $from", ({ from, number, isTaken }) => {
    expect(insert(arrivalsOf(from), number) !== undefined).toBe(isTaken);
  });
});
