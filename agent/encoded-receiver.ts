import type { AudioFormat } from "../codecs/audio-codec.ts";
import type { FrameView } from "../codecs/frame.ts";
import type { BufferedFrame } from "../sfu/jitter-buffer.ts";
import { ReplayWindow } from "../sfu/replay-window.ts";
import type { UnpackedFrames } from "../sfu/unpacking.ts";
import type { FrameIntakeCounters } from "./frame-intake.ts";
import type { HeardEncoded } from "./heard-encoded.ts";
import { type HeardTo, HeardVoice, type HeardVoiceOptions } from "./heard-voice.ts";

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

export interface EncodedReceiverOptions extends HeardVoiceOptions {
  readonly format: AudioFormat;
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
export class EncodedReceiver extends HeardVoice {
  readonly #options: EncodedReceiverOptions;
  /** What was handed out: a frame that another one carried is, once. */
  #seen = new ReplayWindow();
  #paused: PausedFrame[] | undefined;
  #cancelPause: () => void = () => {};
  /** To the end of the newest that was handed out: where it goes is not known here. */
  #heardTo: HeardTo | undefined;
  readonly #counted = { handed: 0, redundant: 0, late: 0 };

  constructor(options: EncodedReceiverOptions) {
    super(options);
    this.#options = options;
  }

  get counters(): EncodedReceiverCounters {
    return {
      ...this.intake.counters,
      ...this.#counted,
      unattributed: this.#options.attribution.unattributed,
      isStopped: this.isBroken,
    };
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

  protected hear(frames: UnpackedFrames, _now: number, _held: number, view: FrameView): boolean {
    for (const earlier of frames.earlier) this.#place(earlier, false);
    this.#place(frames.own, view.voice);
    return true;
  }

  protected speakerChanged(): void {
    this.#seen = new ReplayWindow();
    this.discard();
  }

  protected override beforeLast(): void {
    this.discard();
    super.beforeLast();
  }

  /** The pause is over, too. */
  protected discard(): void {
    for (const _ of this.#paused ?? []) this.late();
    this.#endPause();
  }

  protected heardTo(): HeardTo | undefined {
    return this.#heardTo;
  }

  protected override late(): void {
    super.late();
    this.#counted.late += 1;
  }

  #place(frame: BufferedFrame, voice: boolean): void {
    if (this.#seen.test(frame.sequence) !== "new") {
      // It came itself, or another one carried it before it did.
      if (frame.carrier === undefined) this.late();
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
      this.late();
    }
  }

  #hand(frame: BufferedFrame, voice: boolean): void {
    const { attribution, format, heard, receipts, speaker } = this.#options;
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
    const last = this.#heardTo;
    if (last === undefined || epoch > last.epoch || sequence > last.sequence)
      this.#heardTo = { sequence, epoch, samples: format.frameSamples, at: now };
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

  #endPause(): void {
    this.#cancelPause();
    this.#cancelPause = () => {};
    this.#paused = undefined;
  }
}
