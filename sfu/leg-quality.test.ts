import { expect, it } from "vitest";
import { LegQuality, type LegState } from "./leg-quality.ts";

/** Looks once each half second; `at` says how the leg stands after so many looks. */
function looks(count: number, at: (look: number) => LegState): (string | undefined)[] {
  const quality = new LegQuality(0);
  const news: (string | undefined)[] = [];
  for (let look = 1; look <= count; look += 1) {
    const now = look * 500;
    expect(quality.isDue(now - 1)).toBe(false);
    expect(quality.isDue(now)).toBe(true);
    const change = quality.look(at(look), now);
    if (change !== undefined) news.push(`${now}: ${change.trouble ?? "well"}`);
  }
  return news;
}

const well = (look: number): LegState => ({
  ...{ offered: look * 25, late: 0, lossShare: 0.01 },
  reportedAt: look * 500 - 100,
});

it("says nothing of a leg that is well, nor of one that nothing goes to", () => {
  expect(looks(40, well)).toEqual([]);
  expect(looks(40, () => ({ offered: 25, late: 0, lossShare: 0, reportedAt: 400 }))).toEqual([]);
});

it("says nothing of a listener that never reports: it may not be able to", () => {
  expect(looks(40, (look) => ({ ...well(look), reportedAt: undefined }))).toEqual([]);
});

it("tells once that a hop takes less than comes, and that it is well three seconds after the last of it", () => {
  const slow = (look: number): LegState => ({ ...well(look), late: Math.min(look, 10) * 3 });
  expect(looks(40, slow)).toEqual(["500: slow", "8000: well"]);
});

it("does not call a single late packet trouble", () => {
  expect(looks(40, (look) => ({ ...well(look), late: look === 5 ? 1 : look > 5 ? 1 : 0 }))).toEqual([]);
});

it("tells of losses of a tenth", () => {
  expect(looks(20, (look) => ({ ...well(look), lossShare: look < 10 ? 0.12 : 0.09 }))).toEqual([
    "500: loss",
    "7500: well",
  ]);
});

it("tells of a listener that reported and stops, two seconds after, and not of one that had nothing to report on", () => {
  const stops = (look: number): LegState => ({ ...well(look), reportedAt: Math.min(look, 4) * 500 });
  expect(looks(12, stops)).toEqual(["4000: silent"]);
  const pauses = (look: number): LegState => ({
    ...well(look),
    offered: look < 4 ? look * 25 : Math.max(75, (look - 26) * 25),
    reportedAt: look < 4 ? look * 500 - 100 : look < 31 ? 1_400 : look * 500 - 100,
  });
  expect(looks(40, pauses)).toEqual([]);
});
