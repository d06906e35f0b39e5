import { describe, expect, it } from "vitest";
import { exitOf } from "../cli/bots-command.ts";
import { EXIT } from "../cli/exit-codes.ts";
import type { BotsPlan } from "./plan.ts";
import { type BotsMeasured, summarize, tableOf } from "./summary.ts";
import { emptyTally, sumTallies } from "./tally.ts";

const PLAN: BotsPlan = {
  ...{
    calls: 2,
    duration: { least: 1_000, most: 1_000 },
    ramp: 0,
    media: "opus",
    networks: [],
    clips: [],
    data: [],
    dataRate: 16_000,
  },
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
const NOTHING = { count: 0, p50: Number.NaN, p95: Number.NaN, p99: Number.NaN, max: Number.NaN };
const ALL_TIMES = {
  ...{ setup: TIMES, firstFrame: TIMES, latency: TIMES, audio: TIMES },
  ...{ video: NOTHING, data: NOTHING, latestAge: NOTHING, skewP50: NOTHING, skewP95: NOTHING },
};
const TALLY = {
  ...emptyTally(),
  ...{ placed: 2, made: 2, completed: 2, sent: 10_000, verified: 9_800, late: 100, concealed: 200 },
  ...{ refused: { expired: 40 }, bytes: 1_000_000 },
};
const RUN: BotsMeasured = {
  ...{ plan: PLAN, tally: TALLY, times: ALL_TIMES, elapsed: 4_000 },
  ...{ processes: 1, lostProcesses: 0, loopDelay: { p99: 1, max: 5 }, cpuSeconds: 3 },
  server: {
    pid: 7,
    before: { cpuSeconds: 1, memory: 100, ownMemory: 60, handles: 30 },
    after: { cpuSeconds: 3, memory: 150, ownMemory: 80, handles: 31 },
    peakMemory: 200,
  },
};

describe("a summary", () => {
  it("counts as lost what was neither verified, in time or late, nor refused", () => {
    const { frames, bits_per_second, server, tester, partial, tester_overloaded } = summarize(RUN);
    expect(frames).toMatchObject({ sent: 10_000, verified: 9_900, late: 100, lost: 60, lost_share: 0.006 });
    expect(frames.concealed_share).toBe(0.02);
    expect(frames.per_second).toBe(2_475);
    expect(bits_per_second).toBe(2_000_000);
    expect(server).toMatchObject({ cpu_seconds: 2, cores: 0.5, memory_peak: 200, own_memory_after: 80 });
    expect(tester.cpu_seconds).toBe(3);
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

  it("tells each modality that was sent, and how video was seen", () => {
    const empty = emptyTally();
    const tally = {
      ...TALLY,
      media: {
        ...empty.media,
        audio: { sent: 1_000, verified: 960, late: 10, refused: 10, bytes: 100_000 },
        video: { sent: 200, verified: 198, late: 0, refused: 0, bytes: 900_000 },
      },
      video: {
        ...{ watchedMs: 8_000, freezes: 2, frozenMs: 400, keyFrames: 5 },
        ...{ keyFrameRequests: 3, switches: 1, leftOut: 7, compared: 150, apart: 3 },
      },
      adaptations: { capacity: 4 },
    };
    const skew = { ...TIMES, p50: 8, max: 31 };
    const summary = summarize({
      ...RUN,
      tally,
      times: { ...ALL_TIMES, video: { ...TIMES, p50: 45 }, skewP50: { ...TIMES, p50: 3 }, skewP95: skew },
    });
    expect(Object.keys(summary.media)).toEqual(["audio", "video"]);
    expect(summary.media.audio).toMatchObject({ verified: 970, lost: 20, lost_share: 0.02, refused: 10 });
    expect(summary.media.video).toMatchObject({
      lost: 2,
      bits_per_second: 1_800_000,
      latency_ms: { p50: 45 },
    });
    expect(summary.video).toEqual({
      ...{ freezes: 2, frozen_ms: 400, frozen_share: 0.05, key_frames: 5, key_frame_requests: 3 },
      ...{
        rendition_switches: 1,
        left_out: 7,
        skew_ms: { ends: 2, p50: 3, p95: 8, worst_p95: 31, apart_share: 0.02 },
      },
    });
    const table = tableOf(summary).join("\n");
    expect(table).toContain("frozen 5.00 % (2 times), 3 key frames asked for");
    expect(table).toContain(
      "p50 3.0, p95 8.0 ms at the middle end, p95 31.0 ms at the worst; 2.00 % of all apart by 40 ms or more",
    );
    expect(table).toMatch(/^adaptations +4 capacity$/m);
  });

  it("tells what became of data by how it goes", () => {
    const data = {
      reliable: { sent: 50, replaced: 0, dropped: 0, read: 50, outOfOrder: 0 },
      latest: { sent: 40, replaced: 7, dropped: 3, read: 38, outOfOrder: 1 },
    };
    const summary = summarize({
      ...RUN,
      tally: { ...TALLY, data },
      times: { ...ALL_TIMES, latestAge: TIMES },
    });
    expect(summary.data.reliable).toEqual({ sent: 50, replaced: 0, dropped: 0, read: 50, out_of_order: 0 });
    expect(summary.data.latest).toMatchObject({ replaced: 7, dropped: 3, out_of_order: 1, age_ms: TIMES });
    const table = tableOf(summary).join("\n");
    expect(table).toMatch(/^reliable data +50 sent, 50 read, 0 out of order$/m);
    expect(table).toMatch(
      /^latest values +40 sent, 7 replaced, 3 too old, 38 read, 1 out of order, age p50 1.0/m,
    );
  });

  it("says nothing of video where nobody watched", () => {
    const { media, video } = summarize(RUN);
    expect({ media, video }).toEqual({ media: {}, video: null });
    expect(tableOf(summarize(RUN)).join("\n")).not.toContain("skew");
  });

  it("adds the tallies of processes, reason by reason", () => {
    const withVideo = {
      ...TALLY,
      media: { ...TALLY.media, video: { ...TALLY.media.video, sent: 2, bytes: 10 } },
    };
    const sum = sumTallies([withVideo, { ...TALLY, refused: { expired: 1, scope: 2 }, failed: { busy: 1 } }]);
    expect(sum.media.video).toEqual({ sent: 2, verified: 0, late: 0, refused: 0, bytes: 10 });
    expect(sum).toMatchObject({ sent: 20_000, refused: { expired: 41, scope: 2 }, failed: { busy: 1 } });
  });
});
