import { expect, it } from "vitest";
import { RateControl } from "./rate-control.ts";

/** What a voice of 80 kbit/s and a video take, whose encoder makes 260 of the 320 kbit/s that it may: bits a second. */
const OFFERED = 340_000;
/** Of the rate: who offers less does not try it. */
const TRIED = 0.6;

/** The rate after so many seconds of calm reports on a way that takes more than is offered. */
function rateAfter(
  seconds: number,
  options: { readonly isStepped: boolean; readonly queueAt?: number; readonly isNew?: boolean },
): number {
  const control = new RateControl({ least: 32_000, most: 5_000_000, first: 400_000 }, 0);
  const report = (now: number, queueDelay: number) =>
    control.report({
      ...{ now, queueDelay, confirmedAt: now, roundTrip: 22, lossShare: 0, lossCount: 0, packetCount: 5 },
      ...{ received: OFFERED, isLimited: OFFERED < TRIED * control.bitsPerSecond },
      ...{ isSpared: false, isStepped: options.isStepped },
    });
  // The start is over with the first queue.
  if (options.isNew !== true) report(0, 80);
  for (let now = 50; now <= seconds * 1_000; now += 50) report(now, now === options.queueAt ? 30 : 0);
  return control.bitsPerSecond;
}

it.each([
  ["after its first queue", false],
  ["that never had a queue", true],
])(
  "beside video a calm way %s is taken for as much as the next step needs, and for no more than was tried",
  (_, isNew) => {
    const rate = rateAfter(20, { isStepped: true, isNew });
    // 400 kbit/s of video and the voice, which are to have nine tenths of the way.
    expect(rate).toBeGreaterThan((400_000 + 80_000) / 0.9);
    expect(rate).toBeLessThan((OFFERED / TRIED) * 1.01);
  },
);

it("whoever follows the rate finds more by what arrives", () => {
  expect(rateAfter(20, { isStepped: false })).toBeLessThan(1.25 * OFFERED);
});

it("a queue puts that off by two seconds", () => {
  const calm = rateAfter(4, { isStepped: true });
  const late = rateAfter(4, { isStepped: true, queueAt: 2_500 });
  expect(calm).toBeGreaterThan(1.25 * OFFERED);
  expect(late).toBeLessThan(0.97 * calm);
});

/** The rate after so many seconds in which little is offered, and packets wait so long, one report after the other, over and over. */
function rateBeside(seconds: number, ...queueDelays: number[]): number {
  const control = new RateControl({ least: 32_000, most: 5_000_000, first: 400_000 }, 0);
  const report = (now: number, queueDelay: number, isLimited: boolean) =>
    control.report({
      ...{ now, queueDelay, confirmedAt: now, roundTrip: 110, lossShare: 0, lossCount: 0, packetCount: 5 },
      ...{ received: 100_000, isLimited, isSpared: false, isStepped: true },
    });
  report(0, 80, true);
  const first = control.bitsPerSecond;
  for (let at = 1; at <= seconds * 10; at += 1)
    report(at * 100, queueDelays[at % queueDelays.length] ?? 0, true);
  return control.bitsPerSecond / first;
}

it("a delay that varies does not take the rate down for good where less is offered", () => {
  expect(rateBeside(60, 0, 30, 10, 45)).toBeGreaterThan(0.9);
});

it("a queue does", () => {
  expect(rateBeside(3, 150)).toBeLessThan(0.9);
});
