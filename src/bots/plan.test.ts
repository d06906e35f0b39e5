import { describe, expect, it } from "vitest";
import { SeededRandom } from "../emulation/seeded-random.ts";
import { type BotsPlan, planCall } from "./plan.ts";
import { draw, parseDurations, parseRates } from "./ranges.ts";

const PLAN: BotsPlan = {
  ...{ calls: 10, duration: { least: 10_000, most: 20_000 }, ramp: 5_000, media: "opus" },
  ...{
    rate: { least: 16_000, most: 32_000 },
    networks: [],
    clips: [],
    data: [],
    dataRate: 16_000,
    seed: 7,
    carrier: "webtransport",
    duplex: false,
    decode: false,
    profile: "frame",
  },
};

describe("ranges", () => {
  it.each([
    ["20s", 20_000, 20_000],
    ["500ms", 500, 500],
    ["1.5m", 90_000, 90_000],
    ["10s..1m", 10_000, 60_000],
  ])("reads the duration %s", (text, least, most) => {
    expect(parseDurations(text)).toEqual({ ok: true, value: { least, most } });
  });

  it.each([
    ["24k", 24_000, 24_000],
    ["16000..32k", 16_000, 32_000],
  ])("reads the rate %s", (text, least, most) => {
    expect(parseRates(text)).toEqual({ ok: true, value: { least, most } });
  });

  it.each(["", "20", "s", "-1s", "0s", "20s..10s", "1s..2s..3s", "1e3s", "10 s", "20x", "1s.."])(
    "refuses the duration %j",
    (text) => {
      const read = parseDurations(text);
      expect(!read.ok && read.fault.code).toBe("usage");
    },
  );

  it("draws within the range, and one number where it is one", () => {
    const random = new SeededRandom(1);
    const drawn = Array.from({ length: 200 }, () => draw({ least: 10, most: 20 }, random));
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(10);
    expect(Math.max(...drawn)).toBeLessThanOrEqual(20);
    expect(Math.max(...drawn) - Math.min(...drawn)).toBeGreaterThan(8);
    expect(draw({ least: 5, most: 5 }, random)).toBe(5);
  });
});

describe("a plan", () => {
  const facts = ({ startsAt, duration, rates }: ReturnType<typeof planCall>) => ({
    startsAt,
    duration,
    rates,
  });

  it("places calls evenly over the ramp, and all at once without one", () => {
    expect([0, 1, 9].map((index) => planCall(PLAN, index).startsAt)).toEqual([0, 500, 4_500]);
    expect(planCall({ ...PLAN, ramp: 0 }, 9).startsAt).toBe(0);
  });

  it("is the same for the same seed in any order, and another for another seed", () => {
    const forwards = [0, 1, 2].map((index) => facts(planCall(PLAN, index)));
    const backwards = [2, 1, 0].map((index) => facts(planCall(PLAN, index))).reverse();
    expect(backwards).toEqual(forwards);
    expect(new Set(forwards.map(({ duration }) => duration)).size).toBe(3);
    expect(facts(planCall({ ...PLAN, seed: 8 }, 0))).not.toEqual(forwards[0]);
  });
});
