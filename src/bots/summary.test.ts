import { describe, expect, it } from "vitest";
import { exitOf } from "../cli/bots-command.ts";
import { EXIT } from "../cli/exit-codes.ts";
import type { BotsPlan } from "./plan.ts";
import { type BotsMeasured, summarize, tableOf } from "./summary.ts";
import { emptyTally, sumTallies } from "./tally.ts";

const PLAN: BotsPlan = {
  ...{ calls: 2, duration: { least: 1_000, most: 1_000 }, ramp: 0, media: "opus", networks: [] },
  ...{
    rate: { least: 24_000, most: 24_000 },
    seed: 1,
    carrier: "webtransport",
    duplex: false,
    decode: false,
    profile: "frame",
  },
};
const TIMES = { count: 2, p50: 1, p95: 2, p99: 3, max: 4 };
const TALLY = {
  ...emptyTally(),
  ...{ placed: 2, made: 2, completed: 2, sent: 10_000, verified: 9_800, late: 100, concealed: 200 },
  ...{ refused: { expired: 40 }, bytes: 1_000_000 },
};
const RUN: BotsMeasured = {
  ...{ plan: PLAN, tally: TALLY, times: { setup: TIMES, firstFrame: TIMES, latency: TIMES }, elapsed: 4_000 },
  ...{ processes: 1, lostProcesses: 0, loopDelay: { p99: 1, max: 5 } },
  server: {
    pid: 7,
    before: { cpuSeconds: 1, memory: 100, ownMemory: 60, handles: 30 },
    after: { cpuSeconds: 3, memory: 150, ownMemory: 80, handles: 31 },
    peakMemory: 200,
  },
};

describe("a summary", () => {
  it("counts as lost what was neither verified, in time or late, nor refused", () => {
    const { frames, bits_per_second, server, partial, tester_overloaded } = summarize(RUN);
    expect(frames).toMatchObject({ sent: 10_000, verified: 9_900, late: 100, lost: 60, lost_share: 0.006 });
    expect(frames.concealed_share).toBe(0.02);
    expect(frames.per_second).toBe(2_475);
    expect(bits_per_second).toBe(2_000_000);
    expect(server).toMatchObject({ cpu_seconds: 2, cores: 0.5, memory_peak: 200, own_memory_after: 80 });
    expect({ partial, tester_overloaded }).toEqual({ partial: false, tester_overloaded: false });
  });

  it("is partial when a call failed or a process was lost, and its exit code says so", () => {
    const failed = summarize({ ...RUN, tally: { ...TALLY, completed: 1, failed: { "no-answer": 1 } } });
    const lost = summarize({ ...RUN, lostProcesses: 1 });
    for (const summary of [failed, lost]) {
      expect(summary.partial).toBe(true);
      expect(exitOf(summary)).toBe(EXIT.partial);
    }
    expect(tableOf(failed).join("\n")).toContain("failed: 1 no-answer");
    expect(tableOf(failed).at(-1)).toContain("PARTIAL");
    expect(exitOf(summarize(RUN))).toBe(EXIT.done);
  });

  it("says when the tester could not keep its own schedule", () => {
    const late = summarize({ ...RUN, loopDelay: { p99: 50, max: 90 } });
    const skipping = summarize({ ...RUN, tally: { ...TALLY, skipped: 11 } });
    for (const summary of [late, skipping]) {
      expect(summary.tester_overloaded).toBe(true);
      expect(exitOf(summary)).toBe(EXIT.overloaded);
      expect(tableOf(summary).join("\n")).toContain("TESTER OVERLOADED");
    }
    expect(exitOf(summarize({ ...RUN, lostProcesses: 1, loopDelay: { p99: 50, max: 90 } }))).toBe(
      EXIT.partial,
    );
  });

  it("adds the tallies of processes, reason by reason", () => {
    const sum = sumTallies([TALLY, { ...TALLY, refused: { expired: 1, scope: 2 }, failed: { busy: 1 } }]);
    expect(sum).toMatchObject({ sent: 20_000, refused: { expired: 41, scope: 2 }, failed: { busy: 1 } });
  });
});
