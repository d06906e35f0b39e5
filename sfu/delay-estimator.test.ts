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

describe("DelayEstimator", () => {
  it("knows nothing before the first frame", () => {
    const estimator = new DelayEstimator();
    expect([estimator.offset, estimator.needed]).toEqual([undefined, undefined]);
  });

  it("asks for what 99.5 % of the last 500 transits need, whatever order they came in", () => {
    const estimator = new DelayEstimator();
    const seen = [...transits(1_000)];
    for (const transit of seen) estimator.observe(transit);
    const last = seen.slice(-500).sort((a, b) => a - b);
    expect(estimator.needed).toBeGreaterThanOrEqual(last[496] as number);
    expect(estimator.needed).toBeLessThanOrEqual(last[499] as number);
    expect(estimator.offset).toBe((estimator.needed as number) + 5);
  });

  it("forgets a bad time once 500 frames have passed, and lowers the delay by 25 ms a second from then on", () => {
    const estimator = new DelayEstimator();
    for (let at = 0; at < 100; at += 1) estimator.observe(300);
    for (let at = 0; at < 510; at += 1) estimator.observe(20);
    expect(estimator.needed).toBe(20);
    expect(estimator.offset).toBeGreaterThan(290);
    for (let second = 1; second <= 4; second += 1) {
      const before = estimator.offset ?? 0;
      for (let at = 0; at < 50; at += 1) estimator.observe(20);
      expect(before - (estimator.offset ?? 0)).toBeCloseTo(25, 6);
    }
    for (let at = 0; at < 500; at += 1) estimator.observe(20);
    expect(estimator.offset).toBe(30);
  });

  it("raises the delay as soon as a frame shows that it is needed", () => {
    const estimator = new DelayEstimator();
    for (let at = 0; at < 100; at += 1) estimator.observe(20);
    expect(estimator.offset).toBe(30);
    expect(estimator.usualWait).toBe(10);
    estimator.observe(80);
    expect(estimator.offset).toBe(85);
    expect(estimator.usualWait).toBe(65);
  });

  it("never asks for more than the fastest frame and the limit", () => {
    const estimator = new DelayEstimator({ maximumDelay: 100 });
    estimator.observe(20);
    for (let at = 0; at < 50; at += 1) estimator.observe(900);
    expect(estimator.offset).toBe(120);
  });
});
