import type { CongestionCase } from "./cases.ts";
import { sumBetween } from "./flow-trace.ts";
import type { CaseRun } from "./run-case.ts";

/** What every case is to reach; where TCP competes `fairShare` alone. */
export const TARGETS = { utilisation: 0.85, delay95: 100, loss: 0.02, jain: 0.9, fairShare: 0.25 } as const;

/** Seconds after a flow's start in which its losses and its part of the fair share are not judged. */
const STARTING = 5;
/** Seconds after the flows or the capacity changed in which shares are not compared. */
const CONVERGING = 10;

/** What a case is judged by. */
export interface Score {
  readonly name: string;
  /** Share of the capacity that the media had while any was sent, the lesser of both directions. 0 to 1. */
  readonly utilisation: number;
  /** 95th percentile of the milliseconds that media packets waited in the bottleneck's queue, start-up included. */
  readonly delay95: number;
  /** Share of media packets lost after {@link STARTING} seconds. */
  readonly loss: number;
  /** Jain's index of the rates of flows that competed in one direction, the least of all intervals; undefined where none did. */
  readonly jain: number | undefined;
  /** Where TCP competes: the least media flow's rate over the fair share. */
  readonly fairShare: number | undefined;
}

export function score(run: CaseRun): Score {
  const { plan, media } = run;
  const waits = Float64Array.from(media.flatMap(({ trace }) => trace.waits)).sort();
  let [lost, packets] = [0, 0];
  for (const { flow, trace } of media) {
    lost += sumBetween(trace.lost, flow.start + STARTING, plan.seconds);
    packets += sumBetween(trace.packets, flow.start + STARTING, plan.seconds);
  }
  const directions = ["forward", ...(plan.back === undefined ? [] : ["back" as const])] as const;
  return {
    name: plan.name,
    utilisation: Math.min(...directions.map((direction) => utilisation(run, direction))),
    delay95: waits[Math.floor(waits.length * 0.95)] ?? Number.NaN,
    loss: lost / Math.max(1, lost + packets),
    jain: jain(run),
    fairShare: plan.tcp === undefined ? undefined : fairShare(run),
  };
}

/** Bits that a schedule carries between two times, seconds. */
function carried(schedule: CongestionCase["forward"], from: number, to: number): number {
  return schedule.reduce((sum, [start, capacity], index) => {
    const end = schedule[index + 1]?.[0] ?? Number.POSITIVE_INFINITY;
    return sum + Math.max(0, Math.min(end, to) - Math.max(start, from)) * capacity * 1e6;
  }, 0);
}

function utilisation(run: CaseRun, direction: "forward" | "back"): number {
  const flows = run.media.filter(({ flow }) => flow.direction === direction);
  const from = Math.min(...flows.map(({ flow }) => flow.start));
  const schedule = direction === "back" ? run.plan.back : run.plan.forward;
  const bytes = flows.reduce((sum, { trace }) => sum + sumBetween(trace.bytes, from, run.plan.seconds), 0);
  return (bytes * 8) / carried(schedule ?? [], from, run.plan.seconds);
}

function jain(run: CaseRun): number | undefined {
  const changes = new Set([0, run.plan.seconds]);
  for (const { flow } of run.media)
    for (const time of [flow.start, flow.stop, flow.pause?.from, flow.pause?.to])
      if (time !== undefined) changes.add(time);
  for (const [time] of run.plan.forward) changes.add(time);
  const times = [...changes].sort((one, other) => one - other);
  let least: number | undefined;
  for (const [index, start] of times.entries()) {
    const end = times[index + 1];
    const from = start + CONVERGING;
    if (end === undefined || from >= end) continue;
    const rates = run.media
      .filter(({ flow }) => flow.direction === "forward" && isSending(flow, start))
      .map(({ trace }) => sumBetween(trace.bytes, from, end));
    if (rates.length < 2) continue;
    const sum = rates.reduce((total, rate) => total + rate, 0);
    const squares = rates.reduce((total, rate) => total + rate * rate, 0);
    const of = (sum * sum) / (rates.length * squares);
    if (least === undefined || of < least) least = of;
  }
  return least;
}

function isSending(flow: CongestionCase["flows"][number], at: number): boolean {
  const isPaused = flow.pause !== undefined && at >= flow.pause.from && at < flow.pause.to;
  return at >= flow.start && at < flow.stop && !isPaused;
}

function fairShare(run: CaseRun): number {
  const { plan, media, tcpActive } = run;
  const rates = media.map(({ flow, trace }) => {
    const from = flow.start + STARTING;
    const share = carried(plan.forward, from, plan.seconds) / (media.length + tcpActive);
    return (sumBetween(trace.bytes, from, plan.seconds) * 8) / share;
  });
  return Math.min(...rates);
}
