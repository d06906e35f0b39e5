import { expect, it } from "vitest";
import { note, TONE_NOTES_HZ } from "./tone.ts";

it.each(TONE_NOTES_HZ)("sounds %d Hz, and begins and ends without a click", (hz) => {
  const samples = note(hz, 48_000);
  expect(samples).toHaveLength(24_000);
  const rising = samples.filter((sample, index) => sample >= 0 && (samples[index - 1] ?? 0) < 0).length;
  expect(rising / 0.5).toBeCloseTo(hz, -1);
  expect(Math.abs(samples[1] ?? 1_000)).toBeLessThan(50);
  expect(Math.abs(samples.at(-1) ?? 1_000)).toBeLessThan(50);
  expect(Math.max(...samples)).toBeGreaterThan(8_000);
});
