import { expect, it } from "vitest";
import { audioLevel } from "./audio-level.ts";

it("measures in dB below full scale", () => {
  expect(audioLevel(new Int16Array(160))).toBe(127);
  expect(audioLevel(new Int16Array(160).fill(-32768))).toBe(0);
  expect(audioLevel(new Int16Array(160).fill(3277))).toBe(20);
  expect(audioLevel(new Int16Array(160).fill(1))).toBe(90);
});
