import { describe, expect, it } from "vitest";
import { SeededRandom } from "../src/emulation/seeded-random.ts";
import { backOffDelay, DEFAULT_BACK_OFF } from "./back-off.ts";

const bytes = (value: number) => () => {
  const four = new Uint8Array(4);
  new DataView(four.buffer).setUint32(0, value);
  return four;
};

describe("the wait before trying again", () => {
  it.each([
    [0, 1_000],
    [1, 2_000],
    [4, 16_000],
    [5, 30_000],
    [60, 30_000],
    [2_000, 30_000],
  ])("is after %i failures at most %i ms", (failures, most) => {
    const longest = backOffDelay(failures, DEFAULT_BACK_OFF, bytes(0xffff_ffff));
    expect(longest).toBeLessThan(most);
    expect(longest).toBeGreaterThan(most - 1);
    expect(backOffDelay(failures, DEFAULT_BACK_OFF, bytes(0))).toBe(0);
    expect(backOffDelay(failures, DEFAULT_BACK_OFF, bytes(0x8000_0000))).toBe(most / 2);
  });

  it("is spread evenly", () => {
    const random = new SeededRandom(3);
    const delays = Array.from({ length: 1_000 }, () =>
      backOffDelay(2, DEFAULT_BACK_OFF, bytes(random.u32())),
    );
    for (let quarter = 0; quarter < 4; quarter += 1) {
      const inside = delays.filter((delay) => Math.floor(delay / 1_000) === quarter).length;
      expect(inside).toBeGreaterThan(200);
      expect(inside).toBeLessThan(300);
    }
  });
});
