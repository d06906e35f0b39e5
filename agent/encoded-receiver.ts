import type { AudioFormat } from "../codecs/audio-codec.ts";
import type { FrameView } from "../codecs/frame.ts";
import type { BufferedFrame } from "../sfu/jitter-buffer.ts";
import { ReplayWindow } from "../sfu/replay-window.ts";
import type { UnpackedFrames } from "../sfu/unpacking.ts";
import type { FrameIntakeCounters } from "./frame-intake.ts";
import type { HeardEncoded } from "./heard-encoded.ts";
import { HeardFrames, type HeardStreamOptions } from "./heard-stream.ts";
import type { VoiceReceiver } from "./voice-ends.ts";

/** A pause of the listener is over after this, ms. */
const MAX_PAUSE_MS = 2_000;
/** Frames that are kept while the listener pauses; the oldest goes, counted as late. 2 s at 5 ms. */
const PAUSED_FRAMES = 400;

export interface EncodedReceiverCounters extends FrameIntakeCounters {
  /** Frames handed out, and those among them that another one carried. */
  readonly handed: number;
  readonly redundant: number;
  /** Came while nothing is heard: the stream is held, the call suspended, or what was heard before is not attributed. */
  readonly late: number;
  /** Frames of profile `chain` that were not attributed in time, and whether nothing is handed out for it now. */
  readonly unattributed: number;
  readonly isStopped: boolean;
}

export interface EncodedReceiverOptions extends HeardStreamOptions {
  readonly format: AudioFormat;
  /** Media epoch in force in `admission`. Default 0. */
  readonly epoch?: number | undefined;
  readonly heard: (heard: HeardEncoded) => void;
}

/** A frame that waits for the end of a pause. */
interface PausedFrame {
  readonly frame: BufferedFrame;
  readonly voice: boolean;
}

/**
 * One heard voice that is decoded elsewhere, or nowhere: each frame that verifies is handed out at once, as it comes, and counts as heard then. Nothing is put in
 * order, waited for or made up.
 */
export class EncodedReceiver extends HeardFrames implements VoiceReceiver {
  readonly #options: EncodedReceiverOptions;
  /** What was handed out: a frame that another one carried is, once. */
  #seen = new ReplayWindow();
  #held = false;
  #epoch: number;
  #heardInEpoch = false;
  #paused: PausedFrame[] | undefined;
  #cancelPause: () => void = () => {};
  /** The newest that was handed out. */
  #last: { readonly sequence: number; readonly epoch: number; readonly at: number } | undefined;
  readonly #counted = { handed: 0, redundant: 0, late: 0 };

  constructor(options: EncodedReceiverOptions) {
    super(options);
    this.#options = options;
    this.#epoch = options.epoch ?? 0;
  }

  get counters(): EncodedReceiverCounters {
    return {
      ...this.intake.counters,
      ...this.#counted,
      unattributed: this.#options.attribution.unattributed,
      isStopped: this.isBroken,
    };
  }

  get epoch(): number {
    return this.#epoch;
  }

  get heardInEpoch(): boolean {
    return this.#heardInEpoch;
  }

  beginEpoch(epoch: number): void {
    this.#dropPaused();
    this.#epoch = epoch;
    this.#heardInEpoch = false;
    this.intake.useEpoch(epoch, false);
    this.stateHeard();
  }

  returnToEpoch(epoch: number): void {
    this.#epoch = epoch;
    this.intake.useEpoch(epoch, true);
  }

  stateHeard(): void {
    if (!this.mayState) return;
    const { now } = this;
    if (this.#notePosition()) this.stateNow(now);
  }

  hold(): void {
    this.#held = true;
    this.#dropPaused();
  }

  release(): void {
    this.#held = false;
  }

  pause(): void {
    if (this.#paused !== undefined) return;
    this.#paused = [];
    const { clock } = this.#options;
    this.#cancelPause = clock.at(clock.now() + MAX_PAUSE_MS, () => this.resume());
  }

  resume(): void {
    const kept = this.#paused ?? [];
    this.#endPause();
    for (const { frame, voice } of kept) this.#hand(frame, voice);
  }

  protected taken(frames: UnpackedFrames, now: number, _held: number, view: FrameView): void {
    const { receipts } = this.#options;
    const { level, sequence } = frames.own;
    this.#heardInEpoch = true;
    receipts.received(sequence);
    this.attribute(now);
    const isLate = this.#held || this.isBroken;
    if (isLate) this.#late();
    else {
      for (const earlier of frames.earlier) this.#take(earlier, false);
      this.#take(frames.own, view.voice);
    }
    this.tell(isLate ? "late" : "verified", sequence, now, level === undefined ? {} : { level });
    this.showPresence(now);
  }

  protected speakerChanged(): void {
    this.#seen = new ReplayWindow();
    this.#dropPaused();
  }

  protected override left(): void {
    if (this.#options.stopsUnattributed) this.#dropPaused();
  }

  protected override beforeDue(): void {
    this.#notePosition();
  }

  protected override beforeLast(): void {
    super.beforeLast();
    this.#dropPaused();
    this.#notePosition();
  }

  #take(frame: BufferedFrame, voice: boolean): void {
    if (this.#seen.test(frame.sequence) !== "new") {
      // It came itself, or another one carried it before it did.
      if (frame.carrier === undefined) this.#late();
      return;
    }
    this.#seen.commit(frame.sequence);
    if (this.#paused === undefined) {
      this.#hand(frame, voice);
      return;
    }
    this.#paused.push({ frame, voice });
    if (this.#paused.length > PAUSED_FRAMES) {
      this.#paused.shift();
      this.#late();
    }
  }

  #hand(frame: BufferedFrame, voice: boolean): void {
    const { attribution, heard, receipts, speaker } = this.#options;
    const { now } = this;
    const {
      sequence,
      carrier,
      epoch = 0,
      payload,
      timestamp,
      captured,
      level,
      startOfTurn,
      endOfTurn,
    } = frame;
    attribution.played(carrier ?? sequence, now);
    this.#counted.handed += 1;
    if (carrier === undefined) receipts.heard(sequence);
    else this.#counted.redundant += 1;
    if (this.#last === undefined || epoch > this.#last.epoch || sequence > this.#last.sequence)
      this.#last = { sequence, epoch, at: now };
    heard({
      payload,
      sequence,
      timestamp,
      epoch,
      capturedAt: captured,
      level,
      voice,
      startOfTurn,
      endOfTurn,
      carriedBy: carrier,
      recorded: frame.recorded !== undefined,
      speaker,
    });
    this.attribute(now);
  }

  #late(): void {
    this.#counted.late += 1;
    this.#options.receipts.late();
  }

  #dropPaused(): void {
    for (const _ of this.#paused ?? []) this.#late();
    this.#endPause();
  }

  #endPause(): void {
    this.#cancelPause();
    this.#cancelPause = () => {};
    this.#paused = undefined;
  }

  /** Whether anything was handed out. What is handed out counts as heard to its end: where it goes is not known here. */
  #notePosition(): boolean {
    const last = this.#last;
    if (last === undefined) return false;
    const { sequence, epoch, at } = last;
    const { format, receipts, time } = this.#options;
    receipts.playedTo({ sequence, samples: format.frameSamples, epoch, time: time.wallAt(at) });
    return true;
  }
}
