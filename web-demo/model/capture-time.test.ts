import { expect, test } from "vitest";
import { CaptureTime } from "./capture-time.ts";

test("the quickest picture tells how the source's clock stands; the others were captured as long ago as they are late", () => {
  const time = new CaptureTime();
  const late = [3, 0, 8, 1, 20, 0];
  const captured = late.map((ms, index) => time.of(33_000 * index, 5_000 + 33 * index + ms));
  // Until the quickest one came all of them seem later than they are.
  expect(captured[0]).toBe(5_003);
  for (const [index, at] of captured.slice(1).entries())
    expect(Math.abs(at - (5_000 + 33 * (index + 1)))).toBeLessThan(0.2);
});

test("a source whose clock runs slow is followed, and nothing is captured in the future", () => {
  const time = new CaptureTime();
  let last = 0;
  for (let index = 0; index < 3_000; index += 1) {
    const now = 40 * index;
    last = now - time.of(40_000 * index * 0.9999, now);
    expect(last).toBeGreaterThanOrEqual(0);
  }
  expect(last).toBeLessThan(1);
});

test("stamps that jump do not make pictures old", () => {
  const time = new CaptureTime();
  expect(time.of(0, 1_000)).toBe(1_000);
  // Two seconds of the source's clock in a moment of this one's: taken for granted once, not from then on.
  expect(time.of(2_033_000, 1_033)).toBe(1_033);
  expect(time.of(2_066_000, 1_066)).toBeCloseTo(1_066, 0);
  expect(time.of(99_000, 1_099)).toBe(1_099);
  expect(time.of(132_000, 1_132)).toBeCloseTo(1_132, 0);
});
