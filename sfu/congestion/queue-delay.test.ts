import { describe, expect, it } from "vitest";
import { QueueDelay } from "./queue-delay.ts";

describe("waiting in queues", () => {
  it("is what exceeds the least one-way delay, of clocks that need not agree", () => {
    const { report } = scene(-987_654);
    expect(report(40, 0)).toMatchObject({ delay: 0, roundTrip: 80 });
    report(90, 50);
    expect(report(90, 100)?.delay).toBe(50);
    expect(report(40, 150)?.delay).toBe(0);
  });

  it("is not what one packet had, but the least of two reports", () => {
    const { report } = scene(0);
    report(40, 0);
    expect(report(140, 50)?.delay).toBe(0);
    expect(report(120, 100)?.delay).toBe(80);
  });

  it("is not a step of the receiver's clock, forward or back", () => {
    for (const step of [60_000, -60_000, 150]) {
      const { queue, report, clock } = scene(0);
      report(40, 0);
      clock.offset += step;
      expect(report(40, 50)?.delay).toBeLessThan(1);
      report(70, 100);
      expect(report(70, 150)?.delay).toBeCloseTo(30);
      expect(queue.clockSteps).toBe(1);
    }
  });

  it("counts nothing twice where a step and a report that is late come together", () => {
    for (const step of [500, -500]) {
      const { report, clock } = scene(0);
      report(40, 0);
      clock.offset += step;
      report(40, 50, 90);
      expect(report(40, 100)?.delay).toBeLessThan(1);
      expect(report(70, 150, 10)?.delay).toBeLessThan(31);
      expect(report(70, 200)?.delay).toBeCloseTo(30);
    }
  });

  it("is no step of a clock where reports come late, and packets with them or without", () => {
    const { queue, report } = scene(0);
    report(40, 0);
    // A report late by 200 ms, then packets late by 130 whose report is in time, and the other way round.
    for (const [delay, late] of [
      [40, 200],
      [170, 0],
      [40, 0],
      [200, 240],
      [40, 0],
      [190, 90],
      [40, 300],
    ] as const)
      report(delay, 50, late);
    expect(queue.clockSteps).toBe(0);
    report(40, 100);
    expect(report(40, 150)?.delay).toBe(0);
  });

  it("is a way that got longer, for a minute", () => {
    const { queue, report } = scene(0);
    report(40, 0);
    for (let at = 50; at < 55_000; at += 50) report(240, at);
    expect(report(240, 55_000)?.delay).toBe(200);
    expect(queue.clockSteps).toBe(0);
    for (let at = 55_050; at < 66_000; at += 50) report(240, at);
    expect(report(240, 66_000)?.delay).toBe(0);
  });

  it("does not grow with clocks that drift apart by 200 ppm", () => {
    const { report, clock } = scene(0);
    let most = 0;
    for (let at = 0; at < 3_600_000; at += 250) {
      clock.offset = at * 200e-6;
      most = Math.max(most, report(40, at)?.delay ?? 0);
    }
    expect(most).toBeLessThan(13);
  });

  it("says when packets last waited for nobody", () => {
    const { report } = scene(0);
    expect(report(40, 0)?.confirmedAt).toBe(0);
    expect(report(60, 50)?.confirmedAt).toBe(0);
    expect(report(42, 100)?.confirmedAt).toBe(100);
  });

  it("is not known from a report without times", () => {
    expect(new QueueDelay().report(0)).toBeUndefined();
  });
});

/** Reports of one packet each, which took `delay` there, and back 40 ms and what they were late. */
function scene(offset: number) {
  const queue = new QueueDelay();
  const clock = { offset };
  const report = (delay: number, now: number, late = 0) => {
    queue.add(delay + clock.offset, delay + 40 + late);
    return queue.report(now);
  };
  return { queue, report, clock };
}
