/** Speaking and listening in scenarios. */
import type { Agent } from "../../agent/agent.ts";
import type { Call } from "../../agent/call.ts";
import type { CallOptions, OutgoingCallOptions } from "../../agent/call-options.ts";
import type { HeardAudio } from "../../agent/heard-audio.ts";
import type { World } from "./world.ts";

/** A sweep whose loudness swells and fades like syllables, mono. */
export function utterance(seconds: number, clockRate: number): Int16Array {
  const length = Math.round(seconds * clockRate);
  const made = utterances.get(clockRate) ?? new Int16Array();
  if (made.length >= length) return made.slice(0, length);
  const longer = new Int16Array(length);
  longer.set(made);
  for (let at = made.length; at < length; at += 1) {
    const t = at / clockRate;
    const pitch = Math.sin(2 * Math.PI * (180 + 60 * (t % 3)) * t);
    longer[at] = 9000 * pitch * (0.6 + 0.4 * Math.sin(2 * Math.PI * 3.1 * t + t * t));
  }
  utterances.set(clockRate, longer);
  return longer.slice();
}

/** The longest made of each clock rate; a shorter one is its beginning. */
const utterances = new Map<number, Int16Array>();

/** A call that is up, seen from both ends. */
export interface Pair {
  /** The caller's end. */
  readonly call: Call;
  /** The callee's end. */
  readonly answered: Call;
}

/** Calls `callee`, which takes the call. */
export async function connected(
  world: World,
  caller: Agent,
  callee: Agent,
  options: OutgoingCallOptions = {},
  taking: CallOptions = {},
): Promise<Pair> {
  const taken = new Promise<Call>((resolve, reject) => {
    callee.onCall((incoming) => incoming.accept(taking).then(resolve, reject));
  });
  const call = await world.during(caller.call(callee.id, options));
  return { call, answered: await world.during(taken) };
}

/** Says `seconds` of an utterance and what follows it is silence; resolves when it has been said. */
export async function say(world: World, call: Call, seconds: number): Promise<Int16Array> {
  const pcm = utterance(seconds, call.audio.sends?.clockRate ?? 48_000);
  const said = call.audio.write(pcm).then(() => call.audio.endTurn());
  await world.during(said);
  return pcm;
}

/** Everything heard from now on, silence included, until the call ends. */
export class Recording {
  readonly frames: HeardAudio[] = [];

  constructor(call: Call) {
    void this.#listen(call);
  }

  /** The gapless timeline that was heard. */
  pcm(): Int16Array {
    const all = new Int16Array(this.frames.reduce((sum, { pcm }) => sum + pcm.length, 0));
    let at = 0;
    for (const { pcm } of this.frames) {
      all.set(pcm, at);
      at += pcm.length;
    }
    return all;
  }

  /** Frames of one kind. */
  count(kind: HeardAudio["kind"]): number {
    return this.frames.filter((frame) => frame.kind === kind).length;
  }

  async #listen(call: Call): Promise<void> {
    for await (const frame of call.audio.heard({ silence: true })) this.frames.push(frame);
  }
}

/** The code and place of what a promise was refused with. */
export async function refusal(world: World, promise: Promise<unknown>): Promise<string> {
  try {
    await world.during(promise);
    return "accepted";
  } catch (error) {
    const { code, at } = error as { code?: string; at?: string };
    if (code === undefined) throw error;
    return at === undefined ? code : `${code} at ${at}`;
  }
}
