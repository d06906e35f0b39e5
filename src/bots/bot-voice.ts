/** What bots say: turns of a voice, or messages in its place. */
import type { Call } from "../../agent/call.ts";
import { pause, waitUntil } from "./pause.ts";
import { type BotsPlan, hasTurns, type PlannedCall } from "./plan.ts";
import { voice } from "./speech.ts";

/** Both ends of a call that talk. */
export interface Conversation {
  readonly own: Call;
  readonly other: Call;
  /** On `performance.now()`. */
  readonly until: number;
  /** The callee's first turn, under way. */
  readonly opening: Promise<void>;
  readonly stop: AbortSignal;
}

/** The callee's first turn begins as soon as it has answered, as people's do. */
export function speakFirst(
  plan: BotsPlan,
  planned: PlannedCall,
  call: Call,
  stop: AbortSignal,
): Promise<void> {
  if (!hasTurns(plan)) return Promise.resolve();
  const speaking = speak(plan, call, planned.rates[1], Math.min(planned.duration, FIRST_TURN_MS), stop);
  speaking.catch(() => {});
  return speaking;
}

/** Talks, in turns or both at once, until the call's time is over. */
export async function converse(
  plan: BotsPlan,
  planned: PlannedCall,
  conversation: Conversation,
): Promise<void> {
  const { own, other, until, opening, stop } = conversation;
  if (!hasTurns(plan)) {
    await waitUntil(until, stop);
    return;
  }
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
  const pcm = voice(rateHz);
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

/** Length of bots' frames, ms. */
export const FRAME_MS = 20;
const PIECE_MS = 200;
const FIRST_TURN_MS = 1_000;
const LEAST_TURN_MS = 1_000;
const MOST_TURN_MS = 4_000;
/** What an agent takes to answer. With the turns' lengths somebody speaks four fifths of the time, as people do (ITU-T P.59: 78 %). */
const TURN_GAP_MS = 650;
/** What a bot says in a data message: as long as a short sentence. */
const MESSAGE_TEXT =
  "The quick brown fox jumps over the lazy dog, and then it does so once more, since this message is to be long enough.";
