/** One call between two bots, from connecting to hanging up. */
import type { Agent } from "../../agent/agent.ts";
import type { Call } from "../../agent/call.ts";
import type { CallOptions } from "../../agent/call-options.ts";
import { connectAgent } from "../../agent/connect.ts";
import type { FrameFate } from "../../agent/frame-fate.ts";
import { createIdentity } from "../../agent/node.ts";
import { FrameView, parseFrame } from "../../codecs/frame.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import type { LinkConditions } from "../emulation/link.ts";
import { botPlatform, preciseWall } from "./bot-platform.ts";
import type { Latencies } from "./latencies.ts";
import type { BotsPlan, PlannedCall } from "./plan.ts";
import { voice } from "./speech.ts";
import { count, type Tally } from "./tally.ts";

/** Where the server is. */
export interface BotsTarget {
  readonly url: string;
  /** Absent: the same host and port. */
  readonly webSocketUrl?: string;
  /** SHA-256 of its certificate, hex; absent: the system's roots vouch for it. */
  readonly certificateHash?: string;
}

/** Times that bots measure, milliseconds. */
export interface BotTimes {
  /** From asking for the call until it was answered and checked. */
  readonly setup: Latencies;
  /** From asking for the call until the caller had verified the first frame of the callee. */
  readonly firstFrame: Latencies;
  /** From a frame's signed capture time until the listener had verified it. */
  readonly latency: Latencies;
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
  let asked = 0;
  let isFirst = true;
  const heardFirst = (): void => {
    if (isFirst) times.firstFrame.record(performance.now() - asked);
    isFirst = false;
  };
  const accepted = new Promise<Call>((resolve, reject) => {
    callee.onCall((incoming) => {
      const call = incoming.accept(options(plan, planned, 1, { tally, times, heard: () => {} }));
      call.then(resolve, reject);
    });
  });
  // What refuses the callee refuses the caller too; the caller's word is the one that counts.
  accepted.catch(() => {});
  const answered = accepted.then((call) => ({ call, talking: speakFirst(plan, planned, call, stop) }));
  answered.catch(() => {});
  asked = performance.now();
  const own = await caller.call(callee.id, options(plan, planned, 0, { tally, times, heard: heardFirst }));
  times.setup.record(performance.now() - asked);
  tally.made += 1;
  tally.up += 1;
  const until = performance.now() + planned.duration;
  try {
    const { call: other, talking } = await answered;
    const ended = Promise.race([own.ended, other.ended]);
    const readers = [own, other].map((call) =>
      listen(plan, call, { tally, times, heard: call === own ? heardFirst : () => {} }),
    );
    const conversation = converse(plan, planned, { own, other, until, opening: talking, stop });
    const early = await Promise.race([ended, conversation]);
    if (early !== undefined) throw new ParleyError({ code: "closed", message: `ended: ${early.reason}` });
    await pause(drainTime(planned));
    for (const call of [own, other]) tally.skipped += call.stats().sent?.skippedIntervals ?? 0;
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
  { tally, times, heard }: { readonly tally: Tally; readonly times: BotTimes; readonly heard: () => void },
): CallOptions {
  const watch = (fate: FrameFate): void => countFate(tally, fate);
  const { profile } = plan;
  if (plan.media === "data") return { audio: false, data: true, profile, watch };
  const view = new FrameView();
  return {
    profile,
    audio: {
      codecs: plan.media === "opus" ? ["opus"] : ["pcmu"],
      frameMs: FRAME_MS,
      ...(plan.media === "opus" ? { bitrate: planned.rates[end] } : {}),
    },
    watch,
    tap({ bytes }) {
      tally.bytes += bytes.length;
      heard();
      if (parseFrame(bytes, 0, view) === undefined) times.latency.record(preciseWall() - view.captureMs);
    },
  };
}

function countFate(tally: Tally, { fate, reason = "unknown" }: FrameFate): void {
  if (fate === "refused") count(tally.refused, reason);
  // Bots that lose their connection are done.
  else if (fate !== "unsent") tally[fate] += 1;
}

/** Reads what an end hears, as an application would, until the call is over. */
async function listen(
  plan: BotsPlan,
  call: Call,
  { tally, times, heard }: { readonly tally: Tally; readonly times: BotTimes; readonly heard: () => void },
): Promise<void> {
  if (plan.media !== "data") {
    for await (const _ of call.audio);
    return;
  }
  if (call.data === undefined) return;
  for await (const { value, sentAt } of call.data) {
    tally.bytes += JSON.stringify(value).length;
    times.latency.record(preciseWall() - sentAt);
    heard();
  }
}

/** The callee's first turn begins as soon as it has answered, as people's do. */
function speakFirst(plan: BotsPlan, planned: PlannedCall, call: Call, stop: AbortSignal): Promise<void> {
  const speaking = speak(plan, call, planned.rates[1], Math.min(planned.duration, FIRST_TURN_MS), stop);
  speaking.catch(() => {});
  return speaking;
}

interface Conversation {
  readonly own: Call;
  readonly other: Call;
  /** On `performance.now()`. */
  readonly until: number;
  /** The callee's first turn, under way. */
  readonly opening: Promise<void>;
  readonly stop: AbortSignal;
}

async function converse(
  plan: BotsPlan,
  planned: PlannedCall,
  conversation: Conversation,
): Promise<undefined> {
  const { own, other, until, opening, stop } = conversation;
  const left = (): number => (stop.aborted ? 0 : until - performance.now());
  const [callerRate, calleeRate] = planned.rates;
  if (plan.duplex) {
    const rest = opening.then(() => speak(plan, other, calleeRate, left(), stop));
    await Promise.all([speak(plan, own, callerRate, left(), stop), rest]);
    return;
  }
  await opening;
  for (let turn = 0; left() > FRAME_MS; turn += 1) {
    await pause(Math.min(left(), TURN_GAP_MS));
    const length = LEAST_TURN_MS + planned.random.next() * (MOST_TURN_MS - LEAST_TURN_MS);
    const [call, rate] = turn % 2 === 0 ? ([own, callerRate] as const) : ([other, calleeRate] as const);
    await speak(plan, call, rate, Math.min(left(), length), stop);
  }
}

/** One turn of `length` ms. */
async function speak(
  plan: BotsPlan,
  call: Call,
  rate: number,
  length: number,
  stop: AbortSignal,
): Promise<void> {
  const until = performance.now() + length;
  if (length < FRAME_MS) return;
  if (plan.media === "data") {
    const interval = (MESSAGE_TEXT.length * 8_000) / rate;
    for (let due = performance.now(); due < until && !stop.aborted; due += interval) {
      await pause(due - performance.now());
      await call.data?.send({ text: MESSAGE_TEXT });
    }
    return;
  }
  const rateHz = call.audio.sends?.clockRate ?? 48_000;
  const pcm = voiceAt(rateHz);
  const piece = (rateHz * PIECE_MS) / 1_000;
  const frame = (rateHz * FRAME_MS) / 1_000;
  // The end of the turn is one more frame.
  let left = Math.max(0, Math.floor(length / FRAME_MS) - 1) * frame;
  for (let at = 0; left > 0 && !stop.aborted; at = (at + piece) % pcm.length) {
    const length = Math.min(left, piece, pcm.length - at);
    await call.audio.write(pcm.subarray(at, at + length));
    left -= length;
  }
  await call.audio.endTurn();
}

const voices = new Map<number, Int16Array>();
function voiceAt(clockRate: number): Int16Array {
  const known = voices.get(clockRate) ?? voice(clockRate);
  voices.set(clockRate, known);
  return known;
}

/** How long the last frames may be on their way, ms. */
function drainTime({ networks }: PlannedCall): number {
  const way = (network = NOTHING): number => 2 * (network.delay + (network.jitter ?? 0));
  return DRAIN_MS + way(networks[0]) + way(networks[1]);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, milliseconds)));
}

const FRAME_MS = 20;
const PIECE_MS = 200;
const FIRST_TURN_MS = 1_000;
const LEAST_TURN_MS = 1_000;
const MOST_TURN_MS = 4_000;
/** What an agent takes to answer. With the turns' lengths somebody speaks four fifths of the time, as people do (ITU-T P.59: 78 %). */
const TURN_GAP_MS = 650;
const DRAIN_MS = 300;
const NOTHING: LinkConditions = { delay: 0 };
/** What a bot says in a data message: as long as a short sentence. */
const MESSAGE_TEXT =
  "The quick brown fox jumps over the lazy dog, and then it does so once more, since this message is to be long enough.";
