import type { AudioFormat } from "../codecs/audio-codec.ts";
import type { FrameSeal } from "../codecs/frame.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { PlayedPosition } from "../codecs/receipt.ts";
import type { RedundancyLevel } from "../sfu/redundancy.ts";
import type { MediaTime } from "./media-time.ts";
import { SaidTime } from "./said-time.ts";
import { SpokenFrames, type SpokenFramesOptions } from "./spoken-frames.ts";

export interface SpokenVoiceOptions extends SpokenFramesOptions {
  readonly time: MediaTime;
}

/** One spoken voice: how its frames are signed and where they leave, and how far it can have been heard. What makes the frames is in its class. */
export abstract class SpokenVoice {
  protected readonly spoken: SpokenFrames;
  /** Where in its turn each frame stands. */
  protected readonly said = new SaidTime();
  readonly #format: AudioFormat;
  #isFinished = false;
  /** While false nothing leaves: the terms do not let this end send. */
  permitted = true;

  constructor(options: SpokenFramesOptions, format: AudioFormat) {
    this.spoken = new SpokenFrames(options);
    this.#format = format;
  }

  /** Stream id. */
  get stream(): number {
    return this.spoken.stream;
  }

  /** Media epoch of what is sent. */
  get epoch(): number {
    return this.spoken.epoch;
  }

  /** Whether a frame of it has gone. */
  get sentInEpoch(): boolean {
    return this.spoken.sentInEpoch;
  }

  /** Milliseconds of its turn said up to the first so many samples of a frame; undefined for one that is not remembered. */
  saidBy(sequence: number, samples: number): number | undefined {
    const before = this.said.before(sequence);
    return before === undefined ? undefined : before + (samples * 1000) / this.#format.clockRate;
  }

  /** Whether it can have been heard up to there: no frame and no media epoch to come, and no more of a frame than it has. */
  mayBeHeard({ sequence, samples, epoch }: Omit<PlayedPosition, "time">): boolean {
    const { last = Number.POSITIVE_INFINITY } = this.said;
    return sequence <= last && epoch <= this.epoch && samples <= this.#format.frameSamples;
  }

  /** Each frame from the next on carries so many of the ones before it. Changes nothing where that was not agreed. */
  useRedundancy(level: RedundancyLevel): void {
    this.spoken.useRedundancy(level);
  }

  /** The way to who hears it takes little, or not any more: its checkpoints are to be small. */
  useThinWay(isThin: boolean): void {
    this.spoken.useThinWay(isThin);
  }

  /** Frames go on another flow from now on: the call goes on over another connection. */
  moveTo(flow: number): void {
    this.spoken.moveTo(flow);
  }

  /** What follows is sealed so: the profile changed, or the listener has another key. */
  useSeal(seal: FrameSeal): void {
    this.spoken.useSeal(seal);
  }

  /** Wakes the checkpointer; the call's timer runs it about once a second. */
  poll(now: number): void {
    if (!this.#isFinished) this.spoken.poll(now);
  }

  /** Nothing is said any more; signs the final checkpoint. Idempotent. */
  finish(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.spoken.finish();
  }

  protected get isFinished(): boolean {
    return this.#isFinished;
  }

  /** Throws `closed` after the end. */
  protected requireOpen(): void {
    if (this.#isFinished) throw new ParleyError({ code: "closed", message: "The call has ended." });
  }
}
