import { expect, test } from "vitest";
import { Rate } from "./rate.ts";

test("a rate is of the last two seconds", () => {
  const rate = new Rate();
  expect(rate.at(100, 0)).toBeUndefined();
  expect(rate.at(150, 500)).toBe(100);
  for (let now = 1_000; now <= 6_000; now += 500) rate.at(200, now);
  expect(rate.at(200, 6_500)).toBe(0);
});
