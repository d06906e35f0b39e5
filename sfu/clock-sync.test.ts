import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CLOCK_SAMPLES, ClockSync } from "./clock-sync.ts";

describe("clock synchronisation", () => {
  it("bounds the true offset by its uncertainty, whatever the delays of the two ways", () => {
    fc.assert(
      fc.property(
        fc.double({ min: -1e7, max: 1e7, noNaN: true }),
        fc.array(
          fc.tuple(
            fc.double({ min: 0, max: 500, noNaN: true }),
            fc.double({ min: 0, max: 500, noNaN: true }),
            fc.double({ min: 0, max: 50, noNaN: true }),
          ),
          { minLength: 1, maxLength: 20 },
        ),
        (offset, exchanges) => {
          const sync = new ClockSync();
          let local = 1.7e12;
          for (const [there, back, held] of exchanges) {
            const t1 = local + there + offset;
            const t3 = local + there + held + back;
            expect(sync.add(local, t1, t1 + held, t3)).toBe(true);
            local = t3 + 1000;
          }
          const estimate = sync.estimate(local);
          // 1e-3: Unix milliseconds resolve to a quarter of a microsecond.
          expect(Math.abs((estimate?.offset ?? Number.NaN) - offset)).toBeLessThanOrEqual(
            (estimate?.uncertainty ?? 0) + 1e-3,
          );
        },
      ),
    );
  });

  it("trusts the exchange with the shortest round trip", () => {
    const sync = new ClockSync();
    sync.add(0, 150, 150, 200);
    sync.add(1000, 1105, 1105, 1010);
    sync.add(2000, 2190, 2190, 2300);
    expect(sync.estimate(2300)).toMatchObject({ offset: 100, roundTrip: 10 });
  });

  it("grows less certain with age, until a worse but newer exchange is the better one", () => {
    const sync = new ClockSync();
    sync.add(0, 5, 5, 10);
    expect(sync.estimate(10)?.uncertainty).toBe(5);
    expect(sync.estimate(100_010)?.uncertainty).toBeCloseTo(15, 6);
    sync.add(100_000, 100_020, 100_020, 100_020);
    expect(sync.estimate(100_020)).toMatchObject({ roundTrip: 20, uncertainty: 10 });
  });

  it("forgets the oldest exchange", () => {
    const sync = new ClockSync();
    sync.add(0, 1000, 1000, 0);
    for (let index = 0; index < CLOCK_SAMPLES; index++) sync.add(10, 30, 30, 30);
    expect(sync.samples).toBe(CLOCK_SAMPLES);
    expect(sync.estimate(30)?.offset).toBe(10);
  });

  it.each([
    ["an answer before the request", [10, 0, 0, 5]],
    ["a server that answers before it was asked", [0, 5, 4, 10]],
    ["a server that held it longer than it took", [0, 5, 50, 10]],
    ["something that is no number", [0, Number.NaN, 5, 10]],
    ["infinity", [0, 5, 5, Number.POSITIVE_INFINITY]],
  ] as const)("refuses %s", (_, [t0, t1, t2, t3]) => {
    const sync = new ClockSync();
    expect(sync.add(t0, t1, t2, t3)).toBe(false);
    expect(sync.estimate(10)).toBeUndefined();
  });
});
