import { expect, test } from "vitest";
import { FramePace } from "./frame-pace.ts";

/** Pictures taken in ten seconds of a source of so many a second, whose times waver. */
function taken(ofSource: number, perSecond: number): number {
  const pace = new FramePace();
  let count = 0;
  for (let index = 0; index < 10 * ofSource; index += 1) {
    const at = (index * 1_000) / ofSource + (index % 3) * 2;
    if (pace.takes(at, perSecond)) count += 1;
  }
  return count;
}

test.each([
  [30, 30, 290, 300],
  [30, 60, 300, 300],
  [30, 15, 140, 152],
  [60, 30, 285, 302],
  [30, 8, 75, 82],
  [20, 15, 140, 152],
])("of %i a second, %i a second are taken evenly", (ofSource, perSecond, least, most) => {
  const count = taken(ofSource, perSecond);
  expect(count).toBeGreaterThanOrEqual(least);
  expect(count).toBeLessThanOrEqual(most);
});

test("after a pause there is no crowd", () => {
  const pace = new FramePace();
  expect(pace.takes(0, 10)).toBe(true);
  expect([5_000, 5_010, 5_020, 5_100].map((at) => pace.takes(at, 10))).toEqual([true, false, false, true]);
});
