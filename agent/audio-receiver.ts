import type { AudioCodec } from "../codecs/audio-codec.ts";
import type { UnpackedFrames } from "../sfu/unpacking.ts";
import { AudioPlayer, type AudioPlayerCounters } from "./audio-player.ts";
import type { FrameIntakeCounters } from "./frame-intake.ts";
import type { HeardAudio } from "./heard-audio.ts";
import type { PeerClock } from "./heard-row.ts";
import { HeardFrames, type HeardStreamOptions } from "./heard-stream.ts";
import type { VoiceReceiver } from "./voice-ends.ts";

export interface AudioReceiverCounters extends AudioPlayerCounters, FrameIntakeCounters {
  /** Frames among those expected that have not come: losses, until they do. */
  readonly lost: number;
  /** Frames of profile `chain` that were not attributed in time, and whether nothing is played for it now. */
  readonly unattributed: number;
  readonly isStopped: boolean;
}

export interface AudioReceiverOptions extends HeardStreamOptions {
  readonly codec: AudioCodec;
  /** Media epoch in force in `admission`. Default 0. */
  readonly epoch?: number | undefined;
  readonly heard: (heard: HeardAudio) => void;
  /** Whether anybody hears the intervals in which nobody speaks; else they are not made. */
  readonly silenceIsHeard: () => boolean;
}

/** One heard voice: each frame is played (`AudioPlayer`). How far it was heard is signed to the sample. */
export class AudioReceiver extends HeardFrames implements VoiceReceiver {
  readonly #options: AudioReceiverOptions;
  readonly #player: AudioPlayer;
  #held = false;
  #epoch = 0;
  #heardInEpoch = false;

  constructor(options: AudioReceiverOptions) {
    super(options);
    this.#options = options;
    this.#epoch = options.epoch ?? 0;
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

  /** Media epoch in force. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Whether a frame of it has come. */
  get heardInEpoch(): boolean {
    return this.#heardInEpoch;
  }

  /** Throws away what waits to be played, fades out what is, and refuses frames of epochs below `epoch` from now on. */
  beginEpoch(epoch: number): void {
    this.#player.flush();
    this.#epoch = epoch;
    this.#heardInEpoch = false;
    this.intake.useEpoch(epoch, false);
    // What is still to fade out is stated when it has.
    if (!this.#player.isFading) this.stateHeard();
  }

  /** Signs a receipt at once, where something was played: how far. */
  stateHeard(): void {
    if (!this.mayState) return;
    const { now } = this;
    if (this.#notePosition(now)) this.stateNow(now);
  }

  /** The server refused the epoch that was begun here: what is said goes on in `epoch`. */
  returnToEpoch(epoch: number): void {
    this.#epoch = epoch;
    this.intake.useEpoch(epoch, true);
  }

  override takeClock(clock: PeerClock): void {
    super.takeClock(clock);
    this.#player.restart();
  }

  /** What waits is thrown away and what is played fades out; what still comes is late until `release`: the call is suspended. Idempotent. */
  hold(): void {
    if (this.#held) return;
    this.#held = true;
    this.#player.flush();
  }

  /** The call goes on. */
  release(): void {
    this.#held = false;
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

  protected taken(frames: UnpackedFrames, now: number, held: number): void {
    const { receipts } = this.#options;
    const { level, sequence } = frames.own;
    this.#heardInEpoch = true;
    receipts.received(sequence);
    this.attribute(now);
    const place = this.#held || this.isBroken ? "late" : this.#player.insert(frames, now, held);
    if (place === "late") receipts.late();
    this.tell(place === "late" ? "late" : "verified", sequence, now, level === undefined ? {} : { level });
    this.showPresence(now);
  }

  /** What waits of the process before is not played, what plays fades out. */
  protected speakerChanged(): void {
    this.#player.changeSpeaker();
  }

  protected override left(): void {
    if (this.#options.stopsUnattributed) this.#player.flush();
  }

  protected override beforeDue(now: number): void {
    this.#notePosition(now);
  }

  protected override beforeLast(): void {
    super.beforeLast();
    this.#notePosition(this.now);
  }

  protected override over(): void {
    this.#player.finish();
  }

  /** Whether anything was played. */
  #notePosition(now: number): boolean {
    const played = this.#player.positionAt(now);
    if (played === undefined) return false;
    const { sequence, samples, epoch, at } = played;
    this.#options.receipts.playedTo({ sequence, samples, epoch, time: this.#options.time.wallAt(at) });
    return true;
  }
}
