/** The test cases for congestion control of interactive media (RFC 8867, section 5), on virtual time. `npm run bench -- rfc8867` draws them. */
import { beforeAll, describe, expect, it } from "vitest";
import { CASES } from "../../bench/congestion/cases.ts";
import { plotCase } from "../../bench/congestion/plot.ts";
import { type CaseRun, runCase } from "../../bench/congestion/run-case.ts";
import { type Score, score, TARGETS } from "../../bench/congestion/scorecard.ts";

const SEED = 1;

describe.each(CASES)("RFC 8867 case $name, $title", (plan) => {
  let run: CaseRun;
  let found: Score;
  beforeAll(() => {
    run = runCase(plan, SEED);
    found = score(run);
  });

  if (plan.tcp === undefined) {
    it("uses the capacity, keeps the queue short and loses little", () => {
      const { utilisation, delay95, loss } = found;
      expect(utilisation).toBeGreaterThanOrEqual(TARGETS.utilisation);
      expect(utilisation).toBeLessThanOrEqual(1);
      expect(delay95).toBeLessThan(TARGETS.delay95);
      expect(loss).toBeLessThan(TARGETS.loss);
    });
  } else {
    it("keeps its part of the fair share against TCP, and leaves TCP its own", () => {
      expect(found.fairShare).toBeGreaterThanOrEqual(TARGETS.fairShare);
      expect(found.fairShare).toBeLessThan(2);
      for (const trace of run.tcp) expect(trace.packets.length).toBeGreaterThan(0);
    });
  }

  if (plan.flows.filter(({ direction }) => direction === "forward").length > 1)
    it("shares it evenly", () => {
      expect(found.jain).toBeGreaterThanOrEqual(TARGETS.jain);
    });

  it("is drawn with every flow in it", () => {
    const picture = plotCase(run);
    expect(picture.match(/>media \d/g)).toHaveLength(plan.flows.length);
    expect(picture).not.toContain("NaN");
  });
});

describe("a run of a case", () => {
  it("is the same with the same seed, and another with another", () => {
    const plan = CASES[0];
    if (plan === undefined) throw new Error("no case");
    const short = { ...plan, seconds: 10 };
    const bytes = (seed: number) => runCase(short, seed).media[0]?.trace.bytes;
    expect(bytes(7)).toEqual(bytes(7));
    expect(bytes(7)).not.toEqual(bytes(8));
  });
});
