import { describe, expect, test } from "vitest";
import { energyOf } from "./pcm-energy.ts";

describe("energyOf", () => {
  test.each([
    ["nothing", [], 0],
    ["one sample", [-3], 9],
    ["an even number", [1, -2, 3, -4], 30],
    ["an odd number", [1, -2, 3], 14],
  ])("%s", (_, samples, energy) => {
    expect(energyOf(Int16Array.from(samples))).toBe(energy);
  });

  test("is exact at full scale, however long", () => {
    expect(energyOf(new Int16Array(48_001).fill(-32_768))).toBe(48_001 * 2 ** 30);
  });
});
