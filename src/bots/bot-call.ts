/** One call between two bots, from connecting to hanging up. */
import type { Agent } from "../../agent/agent.ts";
import type { Call } from "../../agent/call.ts";
import type { CallOptions } from "../../agent/call-options.ts";
import { connectAgent } from "../../agent/connect.ts";
import { createIdentity } from "../../agent/node.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import type { LinkConditions } from "../emulation/link.ts";
import { dataOptions, readData, sendData } from "./bot-data.ts";
import { botPlatform } from "./bot-platform.ts";
import type { BotTimes } from "./bot-times.ts";
import { preparedClip, show, videoOptions, Watcher } from "./bot-video.ts";
import { converse, FRAME_MS, speakFirst } from "./bot-voice.ts";
import { CallCounts } from "./call-counts.ts";
import type { Clip } from "./clips.ts";
import { pause } from "./pause.ts";
import { type BotsPlan, hasVideo, hasVoice, type PlannedCall } from "./plan.ts";
import { count, type Tally } from "./tally.ts";

/** Where the server is. */
export interface BotsTarget {
  readonly url: string;
  /** Absent: the same host and port. */
  readonly webSocketUrl?: string;
  /** SHA-256 of its certificate, hex; absent: the system's roots vouch for it. */
  readonly certificateHash?: string;
}

/** Carries a planned call out and counts into `tally` and `times`. Never rejects: what goes wrong is counted as a failure. */
export async function runBotCall(
  plan: BotsPlan,
  planned: PlannedCall,
  target: BotsTarget,
  { tally, times, stop }: { readonly tally: Tally; readonly times: BotTimes; readonly stop: AbortSignal },
): Promise<void> {
  tally.placed += 1;
  const agents: Agent[] = [];
  try {
    for (const end of [0, 1] as const) agents.push(await online(plan, planned, target, end));
    await talk(plan, planned, agents as [Agent, Agent], { tally, times, stop });
    tally.completed += 1;
  } catch (error) {
    count(tally.failed, error instanceof ParleyError ? error.code : String(error));
  } finally {
    await Promise.all(agents.map((agent) => agent.close()));
  }
}

function online(plan: BotsPlan, planned: PlannedCall, target: BotsTarget, end: 0 | 1): Promise<Agent> {
  const { identity } = createIdentity({ name: `bot ${planned.index}${end === 0 ? "a" : "b"}` });
  const { url, webSocketUrl, certificateHash } = target;
  return connectAgent(botPlatform(plan, planned, end, webSocketUrl), url, {
    identity,
    ...(certificateHash === undefined ? {} : { certificateHashes: [Buffer.from(certificateHash, "hex")] }),
  });
}

async function talk(
  plan: BotsPlan,
  planned: PlannedCall,
  [caller, callee]: readonly [Agent, Agent],
  { tally, times, stop }: { readonly tally: Tally; readonly times: BotTimes; readonly stop: AbortSignal },
): Promise<void> {
  const clip = hasVideo(plan) ? await preparedClip(plan.clips) : undefined;
  const counts = new CallCounts(tally, times);
  let asked = 0;
  let isFirst = true;
  const heardFirst = (): void => {
    if (isFirst) times.firstFrame.record(performance.now() - asked);
    isFirst = false;
  };
  const accepted = new Promise<Call>((resolve, reject) => {
    callee.onCall((incoming) => {
      const call = incoming.accept(options(plan, planned, 1, { clip, counts, heard: () => {} }));
      call.then(resolve, reject);
    });
  });
  // What refuses the callee refuses the caller too; the caller's word is the one that counts.
  accepted.catch(() => {});
  const answered = accepted.then((call) => ({ call, talking: speakFirst(plan, planned, call, stop) }));
  answered.catch(() => {});
  asked = performance.now();
  const own = await caller.call(callee.id, options(plan, planned, 0, { clip, counts, heard: heardFirst }));
  times.setup.record(performance.now() - asked);
  tally.made += 1;
  tally.up += 1;
  const until = performance.now() + planned.duration;
  try {
    const { call: other, talking } = await answered;
    const calls = [own, other];
    own.on("terms-changed", ({ agreed }) => {
      if (agreed !== undefined) count(tally.adaptations, agreed.reason);
    });
    const ended = Promise.race([own.ended, other.ended]);
    const watchers = calls.map((call) => new Watcher(call));
    const readers = [
      ...calls.map((call) => listen(plan, call)),
      ...watchers.map((one) => one.watch()),
      ...calls.flatMap((call) => plan.data.map((delivery) => readData(call, delivery, { tally, times }))),
    ];
    const showing = calls.map((call) =>
      clip === undefined || call.video === undefined
        ? undefined
        : show(call.video, clip, { until, stop, tally }),
    );
    const sending = calls.flatMap((call) =>
      plan.data.map((delivery) => sendData(call, delivery, { rate: plan.dataRate, until, stop, tally })),
    );
    const conversation = converse(plan, planned, { own, other, until, opening: talking, stop });
    const whole = Promise.all([conversation, ...showing, ...sending]).then(() => undefined);
    const early = await Promise.race([ended, whole]);
    if (early !== undefined) throw new ParleyError({ code: "closed", message: `ended: ${early.reason}` });
    await pause(drainTime(planned));
    for (const call of calls) tally.skipped += call.stats().sent?.skippedIntervals ?? 0;
    for (const watcher of watchers) watcher.tell(tally, times);
    await own.end();
    await Promise.all([own.settled, other.settled, ...readers]);
  } finally {
    tally.up -= 1;
  }
}

/** What one end offers or takes, and how it counts. */
function options(
  plan: BotsPlan,
  planned: PlannedCall,
  end: 0 | 1,
  {
    clip,
    counts,
    heard,
  }: { readonly clip: Clip | undefined; readonly counts: CallCounts; readonly heard: () => void },
): CallOptions {
  const { profile } = plan;
  const isOpus = plan.media === "opus" || plan.media === "av";
  return {
    profile,
    audio: hasVoice(plan)
      ? {
          codecs: isOpus ? ["opus"] : ["pcmu"],
          frameMs: FRAME_MS,
          ...(isOpus ? { bitrate: planned.rates[end] } : {}),
        }
      : false,
    ...(clip === undefined ? {} : { video: videoOptions(clip) }),
    ...(plan.data.length > 0
      ? { data: dataOptions(plan.data) }
      : plan.media === "data"
        ? { data: true }
        : {}),
    watch: (fate) => counts.fate(fate),
    tap({ bytes, stream }) {
      counts.arrived(stream, bytes);
      heard();
    },
  };
}

/** Reads what an end hears, as an application would, until the call is over. */
async function listen(plan: BotsPlan, call: Call): Promise<void> {
  if (hasVoice(plan)) for await (const _ of call.audio);
  else if (plan.media === "data" && plan.data.length === 0 && call.data !== undefined)
    for await (const _ of call.data);
}

/** How long the last frames may be on their way, ms. */
function drainTime({ networks }: PlannedCall): number {
  const way = (network = NOTHING): number => 2 * (network.delay + (network.jitter ?? 0));
  return DRAIN_MS + way(networks[0]) + way(networks[1]);
}

const NOTHING: LinkConditions = { delay: 0 };
const DRAIN_MS = 300;
