import { expect, it } from "vitest";
import { LevelMeter, levelOf, QUIETEST_DB } from "./level.ts";

it("reads levels in dB below full scale", () => {
  expect(levelOf(new Int16Array(960).fill(32_767))).toBeCloseTo(0, 2);
  expect(levelOf(new Int16Array(960).fill(3_277))).toBeCloseTo(-20, 1);
  expect(levelOf(new Int16Array(960))).toBe(QUIETEST_DB);
  expect(levelOf(new Int16Array(0))).toBe(QUIETEST_DB);
});

it("rises at once and falls evenly", () => {
  const meter = new LevelMeter();
  expect(meter.fill(0)).toBe(0);
  meter.hear(-20, 1_000);
  expect(meter.fill(1_000)).toBeCloseTo(2 / 3);
  expect(meter.fill(1_500)).toBeCloseTo(1 / 3);
  expect(meter.fill(9_000)).toBe(0);
  meter.hear(-50, 1_100);
  expect(meter.fill(1_100)).toBeCloseTo(36 / 60);
});
