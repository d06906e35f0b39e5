import { expect, it } from "vitest";
import { arrivalEntry, OFFSETS_PER_SECOND } from "../../codecs/rtcp-arrivals.ts";
import { HopReports } from "./hop-reports.ts";
import { RateControl } from "./rate-control.ts";

const BITRATE = { least: 32_000, most: 4_000_000, first: 300_000 };
const WAY_MS = 50;

/** Reports each 50 ms on packets of 500 bytes that were sent at these times and took so much longer than the way. */
function scene(hasPictures: boolean) {
  const reports = new HopReports();
  const control = new RateControl(BITRATE, 0);
  const report = (
    now: number,
    packets: readonly { sentAt: number; late: number; piece?: boolean }[],
    offered = 90_000,
  ) => {
    reports.begin(now, now);
    for (const { sentAt, late, piece = true } of packets) {
      reports.arePieces = piece;
      const before = now - (sentAt + WAY_MS + late);
      reports.acknowledged(sentAt, 500, arrivalEntry(Math.round((before * OFFSETS_PER_SECOND) / 1_000)));
    }
    reports.end(control, offered, false, hasPictures);
  };
  /** A piece each 50 ms that takes as long as the way, until then. */
  const calm = (until: number) => {
    for (let now = 100; now < until; now += 50) report(now, [{ sentAt: now - WAY_MS, late: 0 }]);
  };
  return { reports, control, report, calm };
}

it("takes a lost piece that a carrier sent again for what it is, and not for a queue", () => {
  const { reports, report, calm } = scene(true);
  calm(2_000);
  for (const now of [2_000, 2_050]) report(now, [{ sentAt: now - WAY_MS - 130, late: 130 }]);
  expect(reports.queueDelay).toBe(0);
});

it("remembers when something was lost, or sent once more, and not what was read the other way round", () => {
  const { reports, report, calm } = scene(true);
  calm(2_000);
  report(2_000, [{ sentAt: 2_000 - WAY_MS - 60, late: 60 }]);
  expect(reports.lostAt, "two units were read the other way round").toBe(Number.NEGATIVE_INFINITY);
  report(2_050, [{ sentAt: 2_050 - WAY_MS - 130, late: 130 }]);
  expect(reports.lostAt).toBe(2_050);
  reports.begin(2_100, 2_100);
  reports.lost(500);
  expect(reports.lostAt, "a piece is never lost: its carrier sends it once more").toBe(2_050);
  reports.arePieces = false;
  reports.lost(500);
  expect(reports.lostAt).toBe(2_100);
});

it("takes pieces that come late in their order for a queue", () => {
  const { reports, report, calm } = scene(true);
  calm(2_000);
  for (let now = 2_150; now < 2_400; now += 50) report(now, [{ sentAt: now - WAY_MS - 130, late: 130 }]);
  expect(reports.queueDelay).toBeCloseTo(130, 0);
});

it("does not take pieces that a voice overtook for lost ones: datagrams go before streams", () => {
  const { reports, report, calm } = scene(true);
  calm(2_000);
  for (let now = 2_150; now < 2_400; now += 50) {
    report(now, [{ sentAt: now - WAY_MS, late: 0, piece: false }]);
    report(now + 1, [{ sentAt: now + 1 - WAY_MS - 130, late: 130 }]);
    report(now + 2, [{ sentAt: now + 2 - WAY_MS - 130, late: 130 }]);
  }
  expect(reports.queueDelay).toBeCloseTo(130, 0);
});

it("believes less of a queue of a moment where pictures offer little, and all of it where a voice is alone", () => {
  const least = (hasPictures: boolean) => {
    const { control, report, calm } = scene(hasPictures);
    calm(3_000);
    // A carrier stands still for a moment, and then goes on.
    for (let now = 3_120; now < 3_250; now += 50) report(now, [{ sentAt: now - WAY_MS - 120, late: 120 }]);
    return control.bitsPerSecond;
  };
  expect(least(false)).toBeLessThan(120_000);
  expect(least(true)).toBeGreaterThan(180_000);
});

it("gives way all the same where the queue stays", () => {
  const { control, report, calm } = scene(true);
  calm(3_000);
  const rates = [3_250, 5_000, 7_000].map((until, index) => {
    for (let now = [3_120, 3_250, 5_000][index] ?? 0; now < until; now += 50)
      report(now, [{ sentAt: now - WAY_MS - 120, late: 120 }]);
    return control.bitsPerSecond;
  });
  expect(rates[1]).toBeLessThan(0.9 * (rates[0] ?? 0));
  expect(rates[2]).toBeLessThan(0.9 * (rates[1] ?? 0));
});
