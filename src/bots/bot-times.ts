import type { Modality } from "../../signaling/scope.ts";
import { Latencies, type LatencySummary } from "./latencies.ts";

/** What bots measure in milliseconds. */
export const TIME_NAMES = [
  "setup",
  "firstFrame",
  "audio",
  "video",
  "data",
  "latestAge",
  "skewP50",
  "skewP95",
] as const;

export type TimeName = (typeof TIME_NAMES)[number];

/**
 * Times that bots measure. `setup`: from asking for the call until it was answered and checked. `firstFrame`: from asking until the caller had verified
 * the first frame of the callee. By modality: from a frame's signed capture time until the listener had verified it. `latestAge`: how old latest values were when they were read. `skewP50`, `skewP95`: of each end
 * that watched, how far video and voice were apart.
 */
export type BotTimes = Readonly<Record<TimeName, Latencies>>;

/** The same, of all bots together; `latency`: of all modalities. */
export type BotTimesSummary = Readonly<Record<TimeName | "latency", LatencySummary>>;

export function emptyTimes(): BotTimes {
  return timesOf(() => new Latencies());
}

/** As text that {@link sumTimes} takes. */
export function encodeTimes(times: BotTimes): Readonly<Record<TimeName, string>> {
  return timesOf((name) => times[name].encode());
}

/** What several processes measured, together. */
export function sumTimes(encoded: readonly Readonly<Record<TimeName, string>>[]): BotTimesSummary {
  const sum = (...names: readonly TimeName[]): LatencySummary => {
    const all = new Latencies();
    for (const times of encoded) for (const name of names) all.add(times[name]);
    return all.summary();
  };
  const modalities: readonly Modality[] = ["audio", "video", "data"];
  return { ...timesOf((name) => sum(name)), latency: sum(...modalities) };
}

function timesOf<Value>(make: (name: TimeName) => Value): Record<TimeName, Value> {
  return Object.fromEntries(TIME_NAMES.map((name) => [name, make(name)])) as Record<TimeName, Value>;
}
