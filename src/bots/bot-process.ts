/** A process of bots. Its parent sends a `BotsOrder`, gets a `BotsNotice` once a second and at the end, and may send `"stop"`. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { type BotsTarget, runBotCall } from "./bot-call.ts";
import { emptyTimes, encodeTimes, type TimeName } from "./bot-times.ts";
import { preparedClip } from "./bot-video.ts";
import { type BotsPlan, hasVideo, hasVoice, type PlannedCall, planCall } from "./plan.ts";
import { prepareOpus, voice } from "./speech.ts";
import { emptyTally, type Tally } from "./tally.ts";

/** What one process of bots is to do. */
export interface BotsOrder {
  readonly plan: BotsPlan;
  readonly target: BotsTarget;
  /** Numbers of the calls it makes: `first`, `first + step`, … */
  readonly first: number;
  readonly step: number;
}

/** What it tells. */
export type BotsNotice =
  | { readonly kind: "tally"; readonly tally: Tally }
  | {
      readonly kind: "done";
      readonly tally: Tally;
      /** `Latencies`, encoded. */
      readonly times: Readonly<Record<TimeName, string>>;
      /** 99th percentile and longest delay of this process's event loop, ms. */
      readonly loopDelay: { readonly p99: number; readonly max: number };
      /** What this process took of the processors from its first call on, all threads. */
      readonly cpuSeconds: number;
    };

process.on("message", (message: BotsOrder | "stop") => {
  if (message === "stop") stopping.abort();
  else void carryOut(message);
});
process.on("disconnect", () => process.exit(1));
// Signals go to the parent, which says what is to be done.
process.on("SIGINT", () => {});

const stopping = new AbortController();
const LOOP_RESOLUTION_MS = 10;
const G711_HZ = 8_000;
const OPUS_HZ = 48_000;

async function carryOut({ plan, target, first, step }: BotsOrder): Promise<void> {
  const tally = emptyTally();
  const times = emptyTimes();
  const planned: PlannedCall[] = [];
  for (let index = first; index < plan.calls; index += step) planned.push(planCall(plan, index));
  if (hasVideo(plan)) await preparedClip(plan.clips);
  // What is made in the midst of a call keeps all others waiting.
  if (hasVoice(plan)) voice(plan.media === "g711" ? G711_HZ : OPUS_HZ);
  if (hasVoice(plan) && plan.media !== "g711") await prepareOpus(planned.flatMap(({ rates }) => rates));
  const loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  loop.enable();
  const telling = setInterval(() => tell({ kind: "tally", tally }), 1_000);
  const began = performance.now();
  const usedBefore = process.cpuUsage();
  const calls: Promise<void>[] = [];
  for (const call of planned) {
    const wait = call.startsAt - (performance.now() - began);
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    if (stopping.signal.aborted) break;
    calls.push(runBotCall(plan, call, target, { tally, times, stop: stopping.signal }));
  }
  await Promise.all(calls);
  clearInterval(telling);
  const { user, system } = process.cpuUsage(usedBefore);
  const delay = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - LOOP_RESOLUTION_MS);
  tell({
    kind: "done",
    tally,
    times: encodeTimes(times),
    loopDelay: { p99: delay(loop.percentile(99)), max: delay(loop.max) },
    cpuSeconds: (user + system) / 1e6,
  });
}

function tell(notice: BotsNotice): void {
  process.send?.(notice, () => {
    if (notice.kind === "done") process.exit(0);
  });
}
