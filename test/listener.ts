/** Takes down what is said in a call, and judges it. */
import type { Call, HeardAudio } from "../agent/node.ts";
import { type Comparison, compareUtterance } from "../src/listening/compare.ts";

/** Listens to one call until it ends. */
export class CallListener {
  readonly #heard: HeardAudio[] = [];
  /** Resolves when the call is over and everything heard is here. */
  readonly over: Promise<void>;

  constructor(call: Call) {
    this.over = this.#listen(call);
  }

  /** Frames played whose speaker's signature held. */
  get verified(): number {
    return this.#heard.filter(({ verified }) => verified).length;
  }

  /** Turns heard to their marked end. */
  get turns(): number {
    return this.#heard.filter((heard) => heard.kind === "speech" && heard.endOfTurn).length;
  }

  /**
   * Everything the other end said, frame after frame as it said it, silence in place of what is missing. Mono. When a busy
   * machine halts everybody for a while, what is heard pauses; what was said does not. A frame that was played longer
   * than it was said, to wait for the next one, begins and ends where it would have.
   */
  get speech(): Int16Array {
    const frames = this.#heard.filter((heard) => heard.kind === "speech");
    const first = frames[0];
    const last = frames.at(-1);
    if (first === undefined || last === undefined) return new Int16Array(0);
    const lengths = frames.map(({ pcm }) => pcm.length).sort((a, b) => a - b);
    const samples = lengths[lengths.length >> 1] as number;
    const speech = new Int16Array((last.sequence - first.sequence + 1) * samples);
    for (const { sequence, pcm } of frames) {
      const at = (sequence - first.sequence) * samples;
      const half = Math.min(pcm.length, samples) >> 1;
      speech.set(pcm.subarray(0, half), at);
      speech.set(pcm.subarray(-half), at + samples - half);
    }
    return speech;
  }

  get clockRate(): number {
    return this.#heard[0]?.clockRate ?? 48_000;
  }

  /** How an utterance came through. */
  compare(utterance: Int16Array): Comparison {
    return compareUtterance(utterance, this.speech, this.clockRate);
  }

  async #listen(call: Call): Promise<void> {
    for await (const heard of call.audio.heard({ silence: true })) this.#heard.push(heard);
  }
}
