import { expect, it } from "vitest";
import { LossMeter, Series } from "./series.ts";

it("keeps the last minute and leaves out what is no number", () => {
  const series = new Series();
  for (let at = 0; at <= 120_000; at += 500) series.add(at, at / 1000);
  series.add(120_500, undefined);
  series.add(121_000, Number.NaN);
  expect(series.latest).toBe(120);
  expect(series.runs(120_000)[0]?.[0]).toEqual({ at: 60_000, value: 60 });
});

it("breaks where nothing was measured, and leaves out what is long ago", () => {
  const series = new Series();
  for (const at of [0, 500, 2_500, 5_000, 5_500]) series.add(at, at);
  const runs = (now: number) => series.runs(now).map((run) => run.map(({ at }) => at));
  expect(runs(5_500)).toEqual([
    [0, 500, 2_500],
    [5_000, 5_500],
  ]);
  expect(runs(65_200)).toEqual([[5_500]]);
});

it.each([
  [[], 50],
  [[12, 49], 50],
  [[51], 100],
  [[101], 200],
  [[201], 500],
  [[501], 1_000],
])("ends the scale of %j at %d", (values, top) => {
  const series = new Series();
  for (const [index, value] of values.entries()) series.add(index, value);
  expect(series.ceiling(50)).toBe(top);
});

it("tells loss by what was missing of what was due", () => {
  const meter = new LossMeter();
  expect(meter.look({ heard: 0, missing: 0 })).toBeUndefined();
  expect(meter.look({ heard: 98, missing: 2 })).toBe(2);
  expect(meter.look({ heard: 122, missing: 3 })).toBe(4);
  expect(meter.look({ heard: 150, missing: 3 })).toBe(0);
  expect(meter.look({ heard: 150, missing: 6 })).toBe(100);
  expect(meter.look({ heard: 150, missing: 6 })).toBeUndefined();
});
