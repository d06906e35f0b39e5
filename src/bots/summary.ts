/** What a run of bots comes to: figures, a verdict, a table. */
import type { Modality } from "../../signaling/scope.ts";
import type { BotTimesSummary } from "./bot-times.ts";
import type { LatencySummary } from "./latencies.ts";
import type { BotsPlan } from "./plan.ts";
import type { ProcessSample } from "./process-watch.ts";
import { type DeliveryTally, type MediaTally, type Tally, total } from "./tally.ts";

/** Above this the bots' event loops, or their pacers, were too late for the figures to speak of the server. */
const OVERLOAD = { loopDelayP99: 40, skippedShare: 0.001 } as const;

/** Everything a run measured. */
export interface BotsMeasured {
  readonly plan: BotsPlan;
  readonly tally: Tally;
  readonly times: BotTimesSummary;
  /** From the start of the bots to the end of the last, ms. */
  readonly elapsed: number;
  readonly processes: number;
  /** Processes that ended before they had told everything. */
  readonly lostProcesses: number;
  /** Of the process that was latest, ms. */
  readonly loopDelay: { readonly p99: number; readonly max: number };
  /** What the processes of bots took of the processors while they made calls. */
  readonly cpuSeconds: number;
  readonly server: ServerUse | undefined;
}

/** What the server used, read from outside. */
export interface ServerUse {
  readonly pid: number;
  readonly before: ProcessSample;
  readonly after: ProcessSample;
  /** Most resident memory seen, bytes. */
  readonly peakMemory: number;
}

/** The object that `--json` prints. Times are milliseconds; what was not measured is `null`. */
export function summarize(measured: BotsMeasured) {
  const { plan, tally, times, elapsed, processes, lostProcesses, loopDelay, cpuSeconds, server } = measured;
  const refused = total(tally.refused);
  const arrived = tally.verified + tally.late;
  const lost = Math.max(0, tally.sent - arrived - refused);
  const heard = tally.verified + tally.concealed;
  const seconds = elapsed / 1_000;
  const cpu = server === undefined ? undefined : server.after.cpuSeconds - server.before.cpuSeconds;
  const overloaded =
    loopDelay.p99 > OVERLOAD.loopDelayP99 || share(tally.skipped, tally.sent) > OVERLOAD.skippedShare;
  return {
    partial: lostProcesses > 0 || tally.completed < plan.calls,
    tester_overloaded: overloaded,
    plan,
    seconds,
    calls: { wanted: plan.calls, made: tally.made, completed: tally.completed, failed: tally.failed },
    setup_ms: times.setup,
    first_frame_ms: times.firstFrame,
    latency_ms: times.latency,
    frames: {
      sent: tally.sent,
      verified: arrived,
      late: tally.late,
      lost,
      lost_share: share(lost, tally.sent),
      concealed: tally.concealed,
      concealed_share: share(tally.concealed, heard),
      refused: tally.refused,
      per_second: arrived / seconds,
    },
    media: mediaOf(measured),
    video: videoOf(measured),
    data: {
      reliable: deliveryOf(tally.data.reliable),
      latest: { ...deliveryOf(tally.data.latest), age_ms: times.latestAge },
    },
    adaptations: tally.adaptations,
    bits_per_second: (tally.bytes * 8) / seconds,
    server:
      server === undefined || cpu === undefined
        ? null
        : {
            pid: server.pid,
            cpu_seconds: cpu,
            cores: cpu / seconds,
            memory_before: server.before.memory,
            memory_after: server.after.memory,
            memory_peak: server.peakMemory,
            own_memory_before: server.before.ownMemory,
            own_memory_after: server.after.ownMemory,
            handles_before: server.before.handles ?? null,
            handles_after: server.after.handles ?? null,
          },
    tester: {
      processes,
      lost_processes: lostProcesses,
      cpu_seconds: cpuSeconds,
      loop_delay_p99_ms: loopDelay.p99,
      loop_delay_max_ms: loopDelay.max,
      skipped_intervals: tally.skipped,
    },
  };
}

function deliveryOf({ sent, replaced, dropped, read, outOfOrder }: DeliveryTally) {
  return { sent, replaced, dropped, read, out_of_order: outOfOrder };
}

/** Of each modality that was sent: how much of it arrived, and when. */
function mediaOf({ tally, times, elapsed }: BotsMeasured) {
  const told = ({ sent, verified, late, refused, bytes }: MediaTally, latency: LatencySummary) => {
    const lost = Math.max(0, sent - verified - late - refused);
    return {
      ...{ sent, verified: verified + late, late, lost, lost_share: share(lost, sent), refused },
      bits_per_second: (bytes * 8) / (elapsed / 1_000),
      latency_ms: latency,
    };
  };
  const modalities = Object.entries(tally.media).filter(([, { sent }]) => sent > 0);
  return Object.fromEntries(
    modalities.map(([name, counts]) => [name, told(counts, times[name as Modality])]),
  ) as Partial<Record<Modality, ReturnType<typeof told>>>;
}

/** How video was seen; `null` where nobody watched. Of skew, each end's own percentiles: the middle end's, and the worst end's; and the share of all ends' units that were 40 ms or more apart from the voice. */
function videoOf({ tally: { video }, times: { skewP50, skewP95 } }: BotsMeasured) {
  if (video.watchedMs === 0) return null;
  return {
    freezes: video.freezes,
    frozen_ms: video.frozenMs,
    frozen_share: share(video.frozenMs, video.watchedMs),
    key_frames: video.keyFrames,
    key_frame_requests: video.keyFrameRequests,
    rendition_switches: video.switches,
    left_out: video.leftOut,
    skew_ms: {
      ends: skewP50.count,
      p50: skewP50.p50,
      p95: skewP95.p50,
      worst_p95: skewP95.max,
      apart_share: share(video.apart, video.compared),
    },
  };
}

export type BotsSummary = ReturnType<typeof summarize>;

/** The summary as lines for a terminal. */
export function tableOf(summary: BotsSummary): string[] {
  const { calls, frames, server, tester } = summary;
  const rows: [string, string][] = [
    [
      "calls",
      `${calls.wanted} wanted, ${calls.made} made, ${calls.completed} completed, failed: ${reasons(calls.failed)}`,
    ],
    ["setup", percentiles(summary.setup_ms)],
    ["ESTABLISH to first frame", percentiles(summary.first_frame_ms)],
    ["one-way latency", `${percentiles(summary.latency_ms)} (capture to verified; one host, one clock)`],
    ["frames", `${frames.sent} sent, ${frames.verified} verified, ${frames.per_second.toFixed(0)}/s`],
    ["lost", `${frames.lost} (${percent(frames.lost_share)})`],
    ["late", `${frames.late}`],
    ["concealed", `${frames.concealed} (${percent(frames.concealed_share)})`],
    ["refused", reasons(frames.refused)],
    ...modalityRows(summary),
    ...dataRows(summary),
    ["adaptations", reasons(summary.adaptations)],
    ["bitrate", `${(summary.bits_per_second / 1_000).toFixed(0)} kbit/s of verified packets, all calls`],
    [
      "server",
      server === null
        ? "not on this machine, or not ours to see"
        : `${server.cpu_seconds.toFixed(2)} CPU-s (${server.cores.toFixed(2)} cores), memory ${mib(server.memory_before)} before, ${mib(server.memory_peak)} at most, ${mib(server.memory_after)} after, without files ${mib(server.own_memory_before)} and ${mib(server.own_memory_after)}; handles ${server.handles_before} before, ${server.handles_after} after`,
    ],
    [
      "bots",
      `${tester.processes} processes, ${tester.cpu_seconds.toFixed(2)} CPU-s, event loop late ${tester.loop_delay_p99_ms.toFixed(1)} ms at p99 and ${tester.loop_delay_max_ms.toFixed(1)} ms at most, ${tester.skipped_intervals} intervals skipped`,
    ],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const lines = rows.map(([name, text]) => `${name.padEnd(width)}  ${text}`);
  if (summary.partial) lines.push("PARTIAL: not every call went well to its end.");
  if (summary.tester_overloaded) {
    lines.push(
      "TESTER OVERLOADED: the bots could not keep their own schedule; times and losses may be theirs, not the server's.",
    );
  }
  return lines;
}

/** What there is to say by modality, where there is more than one, and of video. */
function modalityRows({ media, video }: BotsSummary): [string, string][] {
  const rows = Object.entries(media).map(([name, of]): [string, string] => [
    name,
    `${of.sent} sent, ${of.lost} lost (${percent(of.lost_share)}), ${(of.bits_per_second / 1_000).toFixed(0)} kbit/s, latency ${percentiles(of.latency_ms)}`,
  ]);
  if (video === null) return rows.length > 1 ? rows : [];
  const { skew_ms: skew } = video;
  return [
    ...rows,
    [
      "video seen",
      `frozen ${percent(video.frozen_share)} (${video.freezes} times), ${video.key_frame_requests} key frames asked for, ${video.key_frames} sent, ${video.left_out} units left out, ${video.rendition_switches} switches of rendition`,
    ],
    [
      "A/V skew",
      skew.ends === 0
        ? "nothing measured"
        : `p50 ${skew.p50.toFixed(1)}, p95 ${skew.p95.toFixed(1)} ms at the middle end, p95 ${skew.worst_p95.toFixed(1)} ms at the worst; ${percent(skew.apart_share)} of all apart by 40 ms or more`,
    ],
  ];
}

/** Of data streams that were asked for. */
function dataRows({ data: { reliable, latest } }: BotsSummary): [string, string][] {
  const rows: [string, string][] = [];
  const order = (count: number): string => `${count} out of order`;
  if (reliable.sent > 0)
    rows.push([
      "reliable data",
      `${reliable.sent} sent, ${reliable.read} read, ${order(reliable.out_of_order)}`,
    ]);
  const { sent, replaced, dropped, read, out_of_order, age_ms } = latest;
  if (sent + replaced + dropped > 0)
    rows.push([
      "latest values",
      `${sent} sent, ${replaced} replaced, ${dropped} too old, ${read} read, ${order(out_of_order)}, age ${percentiles(age_ms)}`,
    ]);
  return rows;
}

function percentiles({ count, p50, p95, p99, max }: LatencySummary): string {
  if (count === 0) return "nothing measured";
  return `p50 ${p50.toFixed(1)}, p95 ${p95.toFixed(1)}, p99 ${p99.toFixed(1)}, max ${max.toFixed(1)} ms`;
}

function reasons(counts: Readonly<Record<string, number>>): string {
  const told = Object.entries(counts).map(([reason, count]) => `${count} ${reason}`);
  return told.length === 0 ? "none" : told.join(", ");
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

function percent(value: number): string {
  return `${(value * 100).toFixed(2)} %`;
}

function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}
