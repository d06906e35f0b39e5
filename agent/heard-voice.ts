import type { FrameView } from "../codecs/frame.ts";
import type { UnpackedFrames } from "../sfu/unpacking.ts";
import { HeardFrames, type HeardStreamOptions } from "./heard-stream.ts";
import type { VoiceReceiver } from "./voice-ends.ts";

/** How far a voice was heard. */
export interface HeardTo {
  /** The last frame of it that was. */
  readonly sequence: number;
  /** Its media epoch. */
  readonly epoch: number;
  /** How many of its samples. */
  readonly samples: number;
  /** When the last of them was, monotonic milliseconds. */
  readonly at: number;
}

export interface HeardVoiceOptions extends HeardStreamOptions {
  /** Media epoch in force in `admission`. Default 0. */
  readonly epoch?: number | undefined;
}

/** One heard voice: its media epochs, whether it is held, and how far it was heard, which receipts state. What becomes of its frames is in its class. */
export abstract class HeardVoice extends HeardFrames implements VoiceReceiver {
  readonly #options: HeardVoiceOptions;
  #epoch: number;
  #heardInEpoch = false;
  #isHeld = false;

  constructor(options: HeardVoiceOptions) {
    super(options);
    this.#options = options;
    this.#epoch = options.epoch ?? 0;
  }

  /** Media epoch in force. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Whether a frame of it has come. */
  get heardInEpoch(): boolean {
    return this.#heardInEpoch;
  }

  /** Lets go of what waits, and refuses frames of epochs below `epoch` from now on. */
  beginEpoch(epoch: number): void {
    this.discard();
    this.#epoch = epoch;
    this.#heardInEpoch = false;
    this.intake.useEpoch(epoch, false);
    // What is still to fade out is stated when it has.
    if (!this.isFading) this.stateHeard();
  }

  /** The server refused the epoch that was begun here: what is said goes on in `epoch`. */
  returnToEpoch(epoch: number): void {
    this.#epoch = epoch;
    this.intake.useEpoch(epoch, true);
  }

  /** Signs a receipt at once, where something was heard: how far. */
  stateHeard(): void {
    if (!this.mayState) return;
    const { now } = this;
    if (this.#notePosition(now)) this.stateNow(now);
  }

  /** Lets go of what waits; what still comes is late until `release`: the call is suspended. Idempotent. */
  hold(): void {
    this.#isHeld = true;
    this.discard();
  }

  /** The call goes on. */
  release(): void {
    this.#isHeld = false;
  }

  abstract pause(): void;
  abstract resume(): void;

  protected taken(frames: UnpackedFrames, now: number, held: number, view: FrameView): void {
    const { receipts } = this.#options;
    const { level, sequence } = frames.own;
    this.#heardInEpoch = true;
    receipts.received(sequence);
    this.attribute(now);
    const isLate = this.isHeld || this.isBroken || !this.hear(frames, now, held, view);
    if (isLate) this.late();
    this.tell(isLate ? "late" : "verified", sequence, now, level === undefined ? {} : { level });
    this.showPresence(now);
  }

  protected override left(): void {
    if (this.#options.stopsUnattributed) this.discard();
  }

  protected override beforeDue(now: number): void {
    this.#notePosition(now);
  }

  protected override beforeLast(): void {
    super.beforeLast();
    this.#notePosition(this.now);
  }

  protected get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Whether something that was cut off has yet to be heard to its end. */
  protected get isFading(): boolean {
    return false;
  }

  /** Takes a frame that verified, and those that it carries, with the arguments of `taken`. False: too late to be heard. */
  protected abstract hear(frames: UnpackedFrames, now: number, held: number, view: FrameView): boolean;

  /** Lets go of what waits to be heard. */
  protected abstract discard(): void;

  /** How far it was heard by `now`; `undefined` where nothing was. */
  protected abstract heardTo(now: number): HeardTo | undefined;

  /** A frame came too late to be heard. */
  protected late(): void {
    this.#options.receipts.late();
  }

  /** Whether anything was heard. */
  #notePosition(now: number): boolean {
    const { receipts, time } = this.#options;
    const heard = this.heardTo(now);
    if (heard === undefined) return false;
    const { sequence, samples, epoch, at } = heard;
    receipts.playedTo({ sequence, samples, epoch, time: time.wallAt(at) });
    return true;
  }
}
