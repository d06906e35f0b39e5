import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Link, type LinkConditions, PRESETS } from "./link.ts";
import { SeededRandom } from "./seeded-random.ts";

const link = (conditions: LinkConditions, seed = 1): Link => new Link(conditions, new SeededRandom(seed));

/** Offers `count` packets of 100 bytes every 20 ms; `undefined` where lost. */
function offer(path: Link, count: number): (number | undefined)[] {
  return Array.from({ length: count }, (_, i) => path.datagram(100, i * 20));
}

/** Lengths of the runs of losses. */
function bursts(fates: readonly (number | undefined)[]): number[] {
  const runs: number[] = [];
  let run = 0;
  for (const fate of [...fates, 0]) {
    if (fate === undefined) run++;
    else if (run > 0) {
      runs.push(run);
      run = 0;
    }
  }
  return runs;
}

describe("link", () => {
  test("the same seed gives the same fates", () => {
    for (const conditions of Object.values(PRESETS)) {
      expect(offer(link(conditions, 7), 500)).toEqual(offer(link(conditions, 7), 500));
      expect(offer(link(conditions, 7), 500)).not.toEqual(offer(link(conditions, 8), 500));
    }
  });

  test("each preset loses what it says and delays within delay plus or minus jitter", () => {
    for (const conditions of Object.values(PRESETS)) {
      const fates = offer(link({ ...conditions, reorder: true }), 20_000);
      const lost = fates.filter((fate) => fate === undefined).length / fates.length;
      expect(Math.abs(lost - conditions.loss)).toBeLessThan(0.25 * conditions.loss);
      const delays = fates.flatMap((fate, i) => (fate === undefined ? [] : [fate - i * 20]));
      expect(Math.min(...delays)).toBeGreaterThanOrEqual(conditions.delay - conditions.jitter);
      expect(Math.max(...delays)).toBeLessThanOrEqual(conditions.delay + conditions.jitter + 1);
    }
  });

  test("losses come in bursts of the mean length asked for, and alone without one", () => {
    const mean = (runs: number[]): number => runs.reduce((sum, run) => sum + run, 0) / runs.length;
    expect(mean(bursts(offer(link({ delay: 1, loss: 0.1, burst: 4 }), 50_000)))).toBeCloseTo(4, 0);
    expect(mean(bursts(offer(link({ delay: 1, loss: 0.1 }), 50_000)))).toBeCloseTo(1.11, 1);
  });

  test("nothing is lost at loss 0 and everything at loss 1", () => {
    expect(offer(link({ delay: 1, burst: 3 }), 100).includes(undefined)).toBe(false);
    expect(offer(link({ delay: 1, loss: 1, burst: 3 }), 100).every((fate) => fate === undefined)).toBe(true);
  });

  test("jitter overtakes only where reordering is allowed", () => {
    const sorted = (fates: (number | undefined)[]): boolean =>
      fates.every((fate, i) => i === 0 || (fate ?? 0) >= (fates[i - 1] ?? 0));
    const burst = (path: Link): (number | undefined)[] =>
      Array.from({ length: 200 }, (_, i) => path.datagram(100, i));
    expect(sorted(burst(link({ delay: 50, jitter: 40 })))).toBe(true);
    expect(sorted(burst(link({ delay: 50, jitter: 40, reorder: true })))).toBe(false);
  });

  test("a bottleneck spaces packets by its rate and drops what its queue cannot hold", () => {
    // 1,000 bytes with 60 of headers at 848 kbit/s take 10 ms each.
    const path = link({ delay: 5, rate: 848_000, queue: 100 });
    const fates = Array.from({ length: 20 }, () => path.datagram(1000, 0));
    const arrived = fates.filter((fate) => fate !== undefined);
    expect(arrived).toEqual(Array.from({ length: 11 }, (_, i) => 15 + 10 * i));
    expect(path.counters).toEqual({ offered: 20, lost: 0, overflowed: 9 });
    expect(path.backlog(60)).toBe(50);
  });

  test("a change of rate keeps what waits, at the new rate", () => {
    const path = link({ delay: 0, rate: 848_000 });
    for (let i = 0; i < 10; i++) path.datagram(1000, 0);
    path.change({ delay: 0, rate: 424_000 }, 50);
    expect(path.backlog(50)).toBe(100);
    expect(path.datagram(1000, 50)).toBe(170);
  });

  test("what waits as the rate changes arrives at the new rate: later than was told, never sooner", () => {
    const path = link({ delay: 5, rate: 848_000 });
    const told = Array.from({ length: 10 }, () => path.datagram(1000, 0) ?? 0);
    const reliable = path.reliable(1000, 0);
    path.change({ delay: 5, rate: 424_000 }, 50);
    expect(told.map((at) => path.revised(at))).toEqual([15, 25, 35, 45, 55, 75, 95, 115, 135, 155]);
    expect(path.revised(reliable)).toBe(175);
    const later = path.datagram(1000, 50) ?? 0;
    expect(later).toBe(195);
    path.change({ delay: 5, rate: 212_000 }, 80);
    expect(told.slice(-3).map((at) => path.revised(at))).toEqual([145, 185, 225]);
    expect(path.revised(later)).toBe(305);
    // A way that is quick again does not take back what was told.
    path.change({ delay: 5 }, 100);
    expect(path.revised(later)).toBe(later);
    expect(path.backlog(100)).toBe(0);
  });

  test("reliable pieces always arrive, and do not push datagrams out of a full queue's end", () => {
    const path = link({ delay: 10, loss: 0.5, burst: 3, rate: 848_000, queue: 100 });
    const arrivals = Array.from({ length: 50 }, () => path.reliable(1000, 0));
    for (const arrival of arrivals) expect(Number.isFinite(arrival)).toBe(true);
    expect(Math.max(...arrivals)).toBeGreaterThanOrEqual(500);
    expect(path.backlog(0)).toBe(100);
    expect(path.counters.overflowed).toBe(0);
  });

  test("a link that loses everything still lets reliable pieces through in the end", () => {
    expect(link({ delay: 10, loss: 1 }).reliable(10, 0)).toBeLessThan(10_000);
  });

  test("an arrival is never before its offer", () => {
    fc.assert(
      fc.property(
        fc.record({
          delay: fc.double({ min: 0, max: 500, noNaN: true }),
          jitter: fc.double({ min: 0, max: 600, noNaN: true }),
          loss: fc.double({ min: 0, max: 1, noNaN: true }),
          burst: fc.double({ min: 1, max: 10, noNaN: true }),
          rate: fc.double({ min: 1e4, max: 1e8, noNaN: true }),
          reorder: fc.boolean(),
        }),
        fc.array(fc.tuple(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 1150 })), {
          maxLength: 50,
        }),
        (conditions, packets) => {
          const path = link(conditions);
          let now = 0;
          for (const [gap, bytes] of packets) {
            now += gap;
            const arrival = path.datagram(bytes, now);
            expect(arrival === undefined || arrival >= now).toBe(true);
            expect(path.reliable(bytes, now)).toBeGreaterThanOrEqual(now);
          }
        },
      ),
    );
  });
});

test("lets nothing through in the dark, and repeats what must arrive, after twice as long each time", () => {
  const link = new Link({ delay: 10 }, new SeededRandom(1));
  link.darken(100, 1_000);
  expect(link.datagram(100, 99)).toBe(109);
  expect(link.datagram(100, 100)).toBeUndefined();
  // Repeated 45, 135, 315, 675 and 1,395 ms after.
  expect(link.reliable(100, 100)).toBe(100 + 1_395 + 10);
  expect(link.datagram(100, 1_000)).toBe(1_010);
  expect(link.counters.lost).toBe(1);
  link.darken(2_000, Number.POSITIVE_INFINITY);
  expect(link.reliable(100, 2_000)).toBe(Number.POSITIVE_INFINITY);
});
