import type { AudioFormat } from "../codecs/audio-codec.ts";
import type { Clock } from "../codecs/clock.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { BoundedQueue } from "../sfu/bounded-queue.ts";
import type { Recording } from "../signaling/evidence/recording.ts";
import type { AudioSender } from "./audio-sender.ts";
import type { HeardPosition } from "./call-heard.ts";
import type { FrameFate } from "./frame-fate.ts";
import type { HeardAudio } from "./heard-audio.ts";
import { Speaking, type SpeakingChanged, type VoiceStalled } from "./turns/speaking.ts";
import { TypedEvents } from "./typed-events.ts";

/** Frames kept for a reader that is slow or has not begun; the oldest goes, counted in `unread`. 10 s at 20 ms. */
const HEARD_FRAMES = 500;

export type CallAudioEvents = {
  /** Either end began to speak, or is done. */
  speaking: SpeakingChanged;
  /** Something was written a second ago, and nothing has left since. */
  "voice-stalled": VoiceStalled;
};

/** What a voice has its call do. */
export interface VoiceControl {
  interrupt(): Promise<void>;
  flush(): Promise<void>;
  heardPosition(): Promise<HeardPosition | undefined>;
  pause(isPaused: boolean): void;
}

/** One voice of a call, both ways. */
export class CallAudio implements AsyncIterable<HeardAudio> {
  readonly #events: TypedEvents<CallAudioEvents>;
  readonly #speakingState: Speaking;
  /** Format of the PCM that `write` takes; undefined when this end only listens. */
  readonly sends: AudioFormat | undefined;
  /** Format of the PCM that is heard; undefined when this end only speaks. */
  readonly hears: AudioFormat | undefined;
  readonly #sender: AudioSender | undefined;
  #finished = false;
  readonly #control: VoiceControl | undefined;
  #hearSilence: () => void = () => {};
  /** What is heard before anybody reads: the first reader gets it. */
  #preroll: BoundedQueue<HeardAudio> | undefined = new BoundedQueue<HeardAudio>(HEARD_FRAMES);
  readonly #queues = new Set<BoundedQueue<HeardAudio>>();
  /** Those of them whose readers want to hear silence too. */
  readonly #gapless = new Set<BoundedQueue<HeardAudio>>();

  constructor(options: {
    readonly sends: AudioFormat | undefined;
    readonly hears: AudioFormat | undefined;
    readonly sender: AudioSender | undefined;
    /** None where it flows neither way. */
    readonly control: VoiceControl | undefined;
    readonly clock: Clock;
    readonly report: (error: unknown) => void;
  }) {
    this.#events = new TypedEvents(options.report);
    this.#speakingState = new Speaking({
      clock: options.clock,
      changed: (event) => {
        if (event.who === "peer") this.#sender?.talkingOver(event.speaking);
        this.#events.emit("speaking", event);
      },
      stalled: (event) => {
        if (!this.muted) this.#events.emit("voice-stalled", event);
      },
    });
    this.sends = options.sends;
    this.hears = options.hears;
    this.#sender = options.sender;
    this.#control = options.control;
  }

  /**
   * Speaks interleaved PCM of format `sends`, in pieces of any length. It is paced to real time; the promise resolves when
   * little waits, so a file can be written in a loop. Throws `buffer-full`, `closed`, or `field-invalid` when this end does
   * not send audio.
   */
  write(pcm: Int16Array): Promise<void> {
    const written = this.#speaking().write(pcm);
    this.#speakingState.wrote();
    return written;
  }

  /**
   * Plays what was said in an earlier call, as a turn of its own after what waits: its frames go as they are, each marked with that call, its
   * place there and its time, which the other end sees (`heard.recorded`). Resolves when the last has gone. Throws `field-invalid` where the
   * recording is of another format than `sends`, or this end does not send audio; `closed`.
   */
  replay(recording: Recording): Promise<void> {
    return this.#speaking().replay(recording);
  }

  /** Marks the end of what was written as the end of a turn. Resolves when it has been sent. */
  endTurn(): Promise<void> {
    return this.#speaking().endTurn();
  }

  /**
   * Takes back what was written: what waits here or on its way is neither sent nor heard any more, and what is written next
   * begins a turn. Resolves when the server has it on record; the sound stops at once. Throws `field-invalid` when this end
   * does not send audio, `session-terminated` when the call has ended.
   */
  async flush(): Promise<void> {
    this.#speaking();
    this.#speakingState.tookBack();
    await this.#control?.flush();
  }

  /**
   * Ends what the other end is saying: playout stops at once with a 10 ms fade, and frames said before are not heard any more, here or on their way. The other
   * end's queue is flushed when it hears of it. Resolves when the server has it on record; is sent again until it answers. Where it refuses, the other end is heard
   * again. Throws `field-invalid` when this end does not hear audio, `interrupt-forbidden`, `session-terminated` when the call has ended.
   */
  async interrupt(): Promise<void> {
    await this.#hearing().interrupt();
  }

  /**
   * How far the other end has heard what this end said, to the sample: asks it, and resolves with the receipt that it signs at once; undefined where it
   * has heard nothing. After an interrupt it says so unasked: `Call` event `heard`. Throws `field-invalid` when this end does not send audio,
   * `request-timeout` when no receipt comes in 5 s, `rate-limited` when asked more than twice a second.
   */
  async heardPosition(): Promise<HeardPosition | undefined> {
    this.#speaking();
    return await this.#control?.heardPosition();
  }

  /**
   * Stops playing what the other end says, with a fade of 10 ms, and asks it to hold what it has yet to say: for 2 s at most, and nothing is
   * thrown away. What follows is `call.interrupt()`, or `resume()` where it was no interruption. Throws `interrupt-forbidden`, and
   * `field-invalid` when this end does not hear audio.
   */
  pause(): void {
    this.#hearing().pause(true);
  }

  /** Goes on with what was paused: all of it is heard. Idempotent. */
  resume(): void {
    this.#hearing().pause(false);
  }

  /** While true nothing is sent; what is written meanwhile is not said later. */
  get muted(): boolean {
    return this.#sender?.muted ?? true;
  }

  set muted(muted: boolean) {
    this.#speaking().muted = muted;
  }

  /** Frames, silence included, that were dropped because a reader, or the first one to come, was too slow. */
  get unread(): number {
    let dropped = this.#preroll?.dropped ?? 0;
    for (const queue of this.#queues) dropped += queue.dropped;
    return dropped;
  }

  /**
   * What the other end says, frame by frame, until the call ends. Each reader gets every frame from when it began to read;
   * the first also gets what was heard before (10 s at most). With `silence` it also gets the intervals in which nobody
   * speaks: a gapless timeline.
   */
  heard(options: { readonly silence?: boolean } = {}): AsyncIterable<HeardAudio> {
    const queue = this.#preroll ?? new BoundedQueue<HeardAudio>(HEARD_FRAMES);
    this.#preroll = undefined;
    this.#queues.add(queue);
    if (options.silence === true) {
      this.#gapless.add(queue);
      this.#hearSilence();
    }
    if (this.#finished) queue.end();
    // What was kept for the first reader may hold silence; from now on it gets none.
    if (options.silence !== true) queue.keepOnly(({ kind }) => kind !== "silence");
    return queue;
  }

  /** `heard()` without silence. */
  [Symbol.asyncIterator](): AsyncIterator<HeardAudio> {
    return this.heard()[Symbol.asyncIterator]();
  }

  /** Adds a listener; the returned function removes it. */
  on<Name extends keyof CallAudioEvents>(
    name: Name,
    listener: (event: CallAudioEvents[Name]) => void,
  ): () => void {
    return this.#events.on(name, listener);
  }

  /** Who speaks now: this end by the frames that really left, the other by those that came and were verified. */
  get speaking(): { readonly me: boolean; readonly peer: boolean } {
    return this.#speakingState.present;
  }

  /** @internal What became of a frame of either voice. */
  frame(fate: FrameFate): void {
    this.#speakingState.frame(fate);
  }

  /** @internal Who is told that a reader wants the intervals in which nobody speaks. */
  hearSilenceWith(hearSilence: () => void): void {
    this.#hearSilence = hearSilence;
  }

  /** @internal Whether a reader, or the first one to come, wants the intervals in which nobody speaks. */
  get silenceIsHeard(): boolean {
    return this.#preroll !== undefined || this.#gapless.size > 0;
  }

  /** @internal One frame from the receiver. */
  deliver(heard: HeardAudio): void {
    this.#preroll?.push(heard);
    for (const queue of heard.kind === "silence" ? this.#gapless : this.#queues) queue.push(heard);
  }

  /** @internal The call is over: readers get what is left, then the end. */
  finish(): void {
    this.#finished = true;
    this.#speakingState.finish();
    for (const queue of this.#queues) queue.end();
  }

  #hearing(): VoiceControl {
    if (this.#control !== undefined && this.hears !== undefined) return this.#control;
    throw new ParleyError({ code: "field-invalid", message: "This end of the call does not hear audio." });
  }

  #speaking(): AudioSender {
    if (this.#sender !== undefined) return this.#sender;
    throw new ParleyError({ code: "field-invalid", message: "This end of the call does not send audio." });
  }
}
