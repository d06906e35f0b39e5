import type { AudioCodec } from "../codecs/audio-codec.ts";
import type { UnpackedFrames } from "../sfu/unpacking.ts";
import { AudioPlayer, type AudioPlayerCounters } from "./audio-player.ts";
import type { FrameIntakeCounters } from "./frame-intake.ts";
import type { HeardAudio } from "./heard-audio.ts";
import type { PeerClock } from "./heard-row.ts";
import { type HeardTo, HeardVoice, type HeardVoiceOptions } from "./heard-voice.ts";

export interface AudioReceiverCounters extends AudioPlayerCounters, FrameIntakeCounters {
  /** Frames among those expected that have not come: losses, until they do. */
  readonly lost: number;
  /** Frames of profile `chain` that were not attributed in time, and whether nothing is played for it now. */
  readonly unattributed: number;
  readonly isStopped: boolean;
}

export interface AudioReceiverOptions extends HeardVoiceOptions {
  readonly codec: AudioCodec;
  readonly heard: (heard: HeardAudio) => void;
  /** Whether anybody hears the intervals in which nobody speaks; else they are not made. */
  readonly silenceIsHeard: () => boolean;
}

/** One heard voice: each frame is played (`AudioPlayer`). How far it was heard is signed to the sample. */
export class AudioReceiver extends HeardVoice {
  readonly #options: AudioReceiverOptions;
  readonly #player: AudioPlayer;

  constructor(options: AudioReceiverOptions) {
    super(options);
    this.#options = options;
    const { attribution, clock } = options;
    this.#player = new AudioPlayer({
      ...options,
      played: (sequence) => attribution.played(sequence, clock.now()),
      heard: (heard) => {
        options.heard(heard);
        this.attribute(clock.now());
      },
      concealed: (sequence, at) => this.tell("concealed", sequence, at),
      cutOff: () => this.stateHeard(),
    });
  }

  /** `undefined` until the first frame. */
  get counters(): AudioReceiverCounters | undefined {
    const played = this.#player.counters;
    if (played === undefined) return undefined;
    const taken = this.intake.counters;
    return {
      ...played,
      ...taken,
      lost: taken.expected - played.received,
      unattributed: this.#options.attribution.unattributed,
      isStopped: this.isBroken,
    };
  }

  override takeClock(clock: PeerClock): void {
    super.takeClock(clock);
    this.#player.restart();
  }

  override hold(): void {
    // A pause that was asked for since then goes on.
    if (!this.isHeld) super.hold();
  }

  /** It is played so many milliseconds later than it needs itself from now on. */
  waitFor(wait: number): void {
    this.#player.waitFor(wait);
  }

  /** What is played fades out, and nothing is played until `resume`, for 2 s at most; what comes is kept. Idempotent. */
  pause(): void {
    this.#player.pause();
  }

  /** Goes on where `pause` stopped. Idempotent. */
  resume(): void {
    this.#player.resume();
  }

  /** Somebody hears the intervals in which nobody speaks from now on. */
  hearSilence(): void {
    this.#player.hearSilence();
  }

  protected hear(frames: UnpackedFrames, now: number, held: number): boolean {
    return this.#player.insert(frames, now, held) !== "late";
  }

  /** What waits of the process before is not played, what plays fades out. */
  protected speakerChanged(): void {
    this.#player.changeSpeaker();
  }

  /** What is played fades out. */
  protected discard(): void {
    this.#player.flush();
  }

  protected override get isFading(): boolean {
    return this.#player.isFading;
  }

  protected heardTo(now: number): HeardTo | undefined {
    return this.#player.positionAt(now);
  }

  protected override over(): void {
    this.#player.finish();
  }
}
