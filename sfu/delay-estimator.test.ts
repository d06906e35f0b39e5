import { describe, expect, it } from "vitest";
import { DelayEstimator } from "./delay-estimator.ts";

/** Transits of 40 ms and up to 30 ms more, the same every time. */
function* transits(count: number): Generator<number> {
  let seed = 1;
  for (let at = 0; at < count; at += 1) {
    seed = (seed * 48_271) % 2_147_483_647;
    yield 40 + (30 * seed) / 2_147_483_647;
  }
}

/** Told of frames captured 20 ms after one another. */
class Told extends DelayEstimator {
  #captured = 0;

  /** The next frame took so long. */
  took(transit: number): void {
    this.observe(transit, this.#captured + transit);
    this.#captured += 20;
  }

  /** The way stands still for so long; what was said meanwhile comes all at once. */
  stall(ms: number): void {
    for (let wait = ms; wait > 0; wait -= 20) this.took(20 + wait);
  }
}

describe("DelayEstimator", () => {
  it("knows nothing before the first frame", () => {
    const estimator = new Told();
    expect([estimator.offset, estimator.needed]).toEqual([undefined, undefined]);
  });

  it("asks for what 99.5 % of the last 500 transits need, whatever order they came in", () => {
    const estimator = new Told();
    const seen = [...transits(1_000)];
    for (const transit of seen) estimator.took(transit);
    const last = seen.slice(-500).sort((a, b) => a - b);
    expect(estimator.needed).toBeGreaterThanOrEqual(last[496] as number);
    expect(estimator.needed).toBeLessThanOrEqual(last[499] as number);
    expect(estimator.offset).toBe((estimator.needed as number) + 5);
  });

  it("forgets a bad time once 500 frames have passed, fast while the delay is far above the need, by 25 ms a second in the end", () => {
    const estimator = new Told();
    for (let at = 0; at < 100; at += 1) estimator.took(300);
    for (let at = 0; at < 510; at += 1) estimator.took(20);
    expect(estimator.needed).toBe(20);
    const offsets = Array.from({ length: 10 }, () => {
      for (let at = 0; at < 50; at += 1) estimator.took(20);
      return estimator.offset ?? 0;
    });
    expect(offsets[0]).toBeLessThan(120);
    expect((offsets[1] ?? 0) - (offsets[2] ?? 0)).toBeCloseTo(25, 6);
    expect(offsets.at(-1)).toBe(30);
  });

  it("takes what came in one burst behind one stall for one event: 60 ms more at most, and none of it after 15 s", () => {
    const estimator = new Told();
    for (let at = 0; at < 500; at += 1) estimator.took(20);
    estimator.stall(1_000);
    expect(estimator.offset).toBeLessThanOrEqual(20 + 60 + 5);
    for (let at = 0; at < 750; at += 1) estimator.took(20);
    expect(estimator.offset).toBe(30);
  });

  it("plans for stalls that come again within ten seconds", () => {
    const estimator = new Told();
    for (let round = 0; round < 5; round += 1) {
      for (let at = 0; at < 100; at += 1) estimator.took(20);
      estimator.stall(300);
    }
    expect(estimator.offset).toBeGreaterThanOrEqual(20 + 300);
  });

  it("raises the delay as soon as a frame shows that it is needed", () => {
    const estimator = new Told();
    for (let at = 0; at < 100; at += 1) estimator.took(20);
    expect(estimator.offset).toBe(30);
    expect(estimator.usualWait).toBe(10);
    estimator.took(80);
    expect(estimator.offset).toBe(85);
    expect(estimator.usualWait).toBe(65);
  });

  it("never asks for more than the fastest frame and the limit", () => {
    const estimator = new Told({ maximumDelay: 100 });
    estimator.took(20);
    for (let at = 0; at < 50; at += 1) estimator.took(900);
    expect(estimator.offset).toBe(120);
  });
});
