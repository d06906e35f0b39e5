import type { AudioFormat } from "../codecs/audio-codec.ts";
import type { Clock } from "../codecs/clock.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { Recording } from "../signaling/evidence/recording.ts";
import type { AudioSender } from "./audio-sender.ts";
import { CallVoice, type VoiceControl } from "./call-voice.ts";
import type { HeardAudio } from "./heard-audio.ts";
import { HeardReaders } from "./heard-readers.ts";
import type { SpeakingChanged, VoiceStalled } from "./turns/speaking.ts";
import { TypedEvents } from "./typed-events.ts";

/** Frames kept for a reader that is slow or has not begun; the oldest goes, counted in `unread`. 10 s at 20 ms. */
const HEARD_FRAMES = 500;

export type CallAudioEvents = {
  /** Either end began to speak, or is done. */
  speaking: SpeakingChanged;
  /** Something was written a second ago, and nothing has left since. */
  "voice-stalled": VoiceStalled;
};

/** One voice of a call, both ways, as PCM. */
export class CallAudio extends CallVoice implements AsyncIterable<HeardAudio> {
  readonly #events: TypedEvents<CallAudioEvents>;
  /** Format of the PCM that `write` takes; undefined when this end only listens. */
  readonly sends: AudioFormat | undefined;
  /** Format of the PCM that is heard; undefined when this end only speaks. */
  readonly hears: AudioFormat | undefined;
  readonly #sender: AudioSender | undefined;
  #hearSilence: () => void = () => {};
  readonly #readers = new HeardReaders<HeardAudio>(HEARD_FRAMES);
  /** Whether some reader wants to hear silence too. */
  #isGapless = false;

  constructor(options: {
    readonly sends: AudioFormat | undefined;
    readonly hears: AudioFormat | undefined;
    readonly sender: AudioSender | undefined;
    /** None where it flows neither way. */
    readonly control: VoiceControl | undefined;
    readonly clock: Clock;
    readonly report: (error: unknown) => void;
  }) {
    const events = new TypedEvents<CallAudioEvents>(options.report);
    super({
      ...options,
      isHeard: options.hears !== undefined,
      speaking: (event) => events.emit("speaking", event),
      stalled: (event) => events.emit("voice-stalled", event),
    });
    this.#events = events;
    this.sends = options.sends;
    this.hears = options.hears;
    this.#sender = options.sender;
  }

  /**
   * Speaks interleaved PCM of format `sends`, in pieces of any length. It is paced to real time; the promise resolves when
   * little waits, so a file can be written in a loop. Throws `buffer-full`, `closed`, or `field-invalid` when this end does
   * not send audio.
   */
  write(pcm: Int16Array): Promise<void> {
    const written = this.#speaking().write(pcm);
    this.speakingState.wrote();
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

  /** Frames, silence included, that were dropped because a reader, or the first one to come, was too slow. */
  get unread(): number {
    return this.#readers.dropped;
  }

  /**
   * What the other end says, frame by frame, until the call ends. Each reader gets every frame from when it began to read;
   * the first also gets what was heard before (10 s at most). With `silence` it also gets the intervals in which nobody
   * speaks: a gapless timeline.
   */
  heard(options: { readonly silence?: boolean } = {}): AsyncIterable<HeardAudio> {
    if (options.silence !== true) return this.#readers.open(isNoSilence);
    this.#isGapless = true;
    this.#hearSilence();
    return this.#readers.open();
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

  /** @internal Who is told that a reader wants the intervals in which nobody speaks. */
  hearSilenceWith(hearSilence: () => void): void {
    this.#hearSilence = hearSilence;
  }

  /** @internal Whether a reader, or the first one to come, wants the intervals in which nobody speaks. */
  get silenceIsHeard(): boolean {
    return this.#isGapless || !this.#readers.isRead;
  }

  /** @internal One frame from the receiver. */
  deliver(heard: HeardAudio): void {
    this.#readers.push(heard);
  }

  /** @internal The call is over: readers get what is left, then the end. */
  override finish(): void {
    super.finish();
    this.#readers.finish();
  }

  #speaking(): AudioSender {
    if (this.#sender !== undefined) return this.#sender;
    throw new ParleyError({ code: "field-invalid", message: "This end of the call does not send audio." });
  }
}

function isNoSilence({ kind }: HeardAudio): boolean {
  return kind !== "silence";
}
