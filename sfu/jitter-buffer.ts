import type { Recorded } from "../codecs/frame.ts";
import { DelayControl } from "./delay-control.ts";
import { DelayEstimator } from "./delay-estimator.ts";
import { ReplayWindow } from "./replay-window.ts";
import type { Adjustment } from "./time-stretch.ts";

/** Frames held at most. When one more comes, the oldest is dropped and counted as `overflow`. */
export const MAX_BUFFERED_FRAMES = 256;

/** Frames this far past their time are dropped without regard to the interval, milliseconds: latency never grows further. */
export const MAXIMUM_EXCESS = 500;

/** Where so much is missing in a row, milliseconds, the way stood still. */
const STANDSTILL = 500;

/** A verified frame waiting to be played. */
export interface BufferedFrame {
  /** 48 bits. */
  readonly sequence: number;
  /** RTP timestamp, unsigned 32 bits. */
  readonly timestamp: number;
  /** Media epoch; passed through. Default 0. */
  readonly epoch?: number | undefined;
  /** Capture time by the speaker's clock, milliseconds. */
  readonly captured: number;
  /** Belongs to the buffer from now on: hand over a copy of what a carrier lent. */
  readonly payload: Uint8Array;
  /** Where it did not come itself: the sequence number of the frame that carried it, by whose signature it holds. */
  readonly carrier?: number | undefined;
  /** Where its speaker says that it was said before. */
  readonly recorded?: Recorded | undefined;
  /** What the speaker signed as its level, dB below full scale; passed through. */
  readonly level?: number | undefined;
  /** The turn begins here (frame info, or the RTP marker). */
  readonly startOfTurn: boolean;
  /** False: where time is missing before it and no number is, its speaker never had what stood there: a loss, no silence. Default true. */
  readonly marked?: boolean | undefined;
  /** Nothing follows in this turn: what comes after is silence, not loss. */
  readonly endOfTurn: boolean;
  /** Whether the frame before it, lost, can be recovered from its payload. Default true. */
  readonly recovers?: boolean | undefined;
  /** Nothing need follow for a while: its speaker is silent. Default false. */
  readonly pauses?: boolean | undefined;
  /** It came before anybody could take it, and is played so many milliseconds later for that. Default 0. */
  readonly behind?: number | undefined;
}

export type InsertOutcome = "buffered" | "late" | "duplicate";

/** What stands in one frame time of the playout. */
export type Slot =
  | {
      readonly kind: "frame";
      readonly frame: BufferedFrame;
      readonly waited: number;
      /** How its playing time should change to bring the delay to what is needed. */
      readonly adjust: Adjustment | undefined;
    }
  /** A frame is lost or not there in time. `next` is the one right after it, if it has arrived and recovers it. */
  | { readonly kind: "missing"; readonly next: BufferedFrame | undefined }
  /** Nobody speaks. `until`: when the frame that waits is due, if one does. */
  | { readonly kind: "pause"; readonly until: number | undefined };

export interface JitterCounters {
  /** Distinct frames inserted that came themselves. */
  readonly received: number;
  /** Came after their time and were dropped, or were too old when the turn could begin. */
  readonly late: number;
  readonly duplicate: number;
  /** Dropped because {@link MAX_BUFFERED_FRAMES} were waiting. */
  readonly overflow: number;
  /** Thrown away by interrupts. */
  readonly flushed: number;
  /** Left out because the delay was past all bounds. */
  readonly shrunk: number;
  /** Frame times concealed while their frames were still waited for, which made the delay longer. */
  readonly awaited: number;
}

/**
 * Puts the frames of one stream in order and hands out one slot per frame time. When a talkspurt begins its first frame
 * is placed by capture time and the delay learned so far; inside it the RTP timestamp governs. The delay changes at
 * silence; within a talkspurt it is made longer where a frame is missing anyway, and else by asking for frames that play
 * longer or shorter than they last: see `Adjustment`. Whoever plays them asks for the next slot when they are over.
 */
export class JitterBuffer {
  readonly #frameSamples: number;
  readonly #frameTime: number;
  readonly #delays: ConstructorParameters<typeof DelayEstimator>[0];
  #estimator: DelayEstimator;
  #wait = 0;
  #seen = new ReplayWindow();
  /** Ascending in sequence. */
  readonly #waiting: { frame: BufferedFrame; arrival: number }[] = [];
  readonly #counters = {
    received: 0,
    late: 0,
    duplicate: 0,
    overflow: 0,
    flushed: 0,
    shrunk: 0,
    awaited: 0,
  };
  #speaking = false;
  /** Everything below this sequence number has been played or given up. */
  #next = 0;
  /** Highest sequence number that came. */
  #newest: number | undefined;
  /** RTP timestamp and capture time of the slot to be filled next, within a talkspurt. */
  #cursor = 0;
  #cursorCaptured = 0;
  /** Slots left empty since the last frame played. */
  #holes = 0;
  readonly #control = new DelayControl();
  /** Delay beyond the need that a pause has left: it is worked off, and no frame dropped for it. */
  #allowance = 0;
  /** What was played last came before anybody could take it. */
  #wasBehind = false;

  /** `frameSamples` at `clockRate` Hz is one frame time. Delays in milliseconds, see {@link DelayEstimator}. */
  constructor(options: {
    readonly clockRate: number;
    readonly frameSamples: number;
    readonly minimumDelay?: number;
    readonly maximumDelay?: number;
  }) {
    this.#frameSamples = options.frameSamples;
    this.#frameTime = (options.frameSamples * 1000) / options.clockRate;
    this.#delays = { ...options, frameTime: this.#frameTime };
    this.#estimator = new DelayEstimator(this.#delays);
  }

  /**
   * Takes a frame that another one carried, unless it came itself or its time has passed. The frame itself, where it still comes in time,
   * takes its place. That it came only so is learned as its transit time: the delay grows until carriers come in time.
   */
  insertCarried(frame: BufferedFrame, arrival: number): InsertOutcome {
    const isHere = this.#waiting.some((waiting) => waiting.frame.sequence === frame.sequence);
    if (isHere || this.#seen.test(frame.sequence) !== "new") return "duplicate";
    this.#estimator.observe(arrival - placed(frame), arrival);
    if (frame.sequence < this.#next || this.#hasPassed(frame)) return "late";
    this.#place(frame, arrival);
    return "buffered";
  }

  /** Takes a frame that arrived at `arrival`, in milliseconds of the clock that `take` is asked by. */
  insert(frame: BufferedFrame, arrival: number): InsertOutcome {
    const seen = this.#seen.test(frame.sequence);
    if (seen === "replayed") {
      this.#counters.duplicate++;
      return "duplicate";
    }
    this.#counters.received++;
    const missing = frame.sequence - (this.#newest ?? frame.sequence) - 1;
    if (missing * this.#frameTime >= STANDSTILL) this.#estimator.stoodStill(arrival);
    this.#newest = Math.max(this.#newest ?? 0, frame.sequence);
    this.#estimator.observe(arrival - placed(frame), arrival);
    this.#reopen(frame);
    if (seen === "behind" || frame.sequence < this.#next || this.#hasPassed(frame)) {
      if (seen === "new") this.#seen.commit(frame.sequence);
      this.#counters.late++;
      return "late";
    }
    this.#seen.commit(frame.sequence);
    this.#place(frame, arrival);
    return "buffered";
  }

  /** A frame that comes after its slot, and nothing of what follows it has come: the way takes longer, and it is played after all. */
  #reopen(frame: BufferedFrame): void {
    if (!this.#hasPassed(frame) || frame.sequence !== this.#next || this.#waiting.length > 0) return;
    this.#cursor = frame.timestamp;
    this.#cursorCaptured = placed(frame);
    this.#counters.awaited += this.#holes;
    this.#holes = 0;
  }

  /** In its order among those that wait, in place of one that has its number. */
  #place(frame: BufferedFrame, arrival: number): void {
    let at = this.#waiting.length;
    while (at > 0 && (this.#waiting[at - 1]?.frame.sequence ?? 0) > frame.sequence) at--;
    const replaces = this.#waiting[at - 1]?.frame.sequence === frame.sequence;
    this.#waiting.splice(replaces ? at - 1 : at, replaces ? 1 : 0, { frame, arrival });
    if (this.#waiting.length > MAX_BUFFERED_FRAMES) {
      this.#waiting.shift();
      this.#counters.overflow++;
    }
  }

  /** Frames are played so many milliseconds later than they need themselves, however they come. */
  waitFor(wait: number): void {
    this.#wait = wait;
    this.#estimator.waitFor(wait);
  }

  /** What to play in the frame time that begins at `at`. Each call uses up one frame time. */
  take(at: number): Slot {
    const offset = this.#estimator.offset;
    if (offset === undefined) return PAUSE;
    this.#followOn(at, offset);
    if (!this.#speaking) return this.#begin(at, offset);
    this.#giveUp(at, offset);
    const first = this.#waiting[0]?.frame;
    if (first === undefined) return this.#missing(at, undefined);
    const ahead = this.#ahead(first);
    const lost = first.sequence - this.#next;
    if ((first.startOfTurn && lost === 0) || ahead < -1) return this.#begin(at, offset);
    if (ahead <= 0) return this.#play(at, offset);
    const isLostBefore = lost === 0 && first.marked === false;
    if (this.#holes < lost || isLostBefore) {
      return this.#missing(at, ahead === 1 && first.recovers !== false ? first : undefined);
    }
    // As many slots as frames were lost are empty; what is left of the gap is silence the speaker did not send.
    return this.#begin(at, offset);
  }

  /** Gives up the talkspurt: until the next frame is due there are only pauses. */
  rest(): void {
    this.#speaking = false;
  }

  /** Nothing was asked for during `ms` milliseconds, by somebody who wants to hear all of it after them. */
  resume(ms: number): void {
    this.#allowance += ms;
  }

  /** The frame given out for `at` was made shorter. */
  shortened(at: number): void {
    this.#control.shortened(at);
  }

  /** Throws away what waits and gives up the talkspurt: an interrupt. Returns whether a talkspurt was going on. */
  flush(): boolean {
    const wasSpeaking = this.#speaking;
    this.#counters.flushed += this.#waiting.length;
    this.#waiting.length = 0;
    this.#speaking = false;
    this.#wasBehind = false;
    this.#allowance = 0;
    return wasSpeaking;
  }

  /** The same, and forgets what was learned of the frames' numbers and times: another process speaks from now on. */
  restart(): boolean {
    this.#estimator = new DelayEstimator(this.#delays);
    this.#estimator.waitFor(this.#wait);
    this.#seen = new ReplayWindow();
    this.#next = 0;
    this.#newest = undefined;
    return this.flush();
  }

  /** Whether a talkspurt is going on. */
  get isSpeaking(): boolean {
    return this.#speaking;
  }

  /** Frames waiting. */
  get size(): number {
    return this.#waiting.length;
  }

  /** The delay aimed at: local time of playing minus the speaker's time of capture, milliseconds; `undefined` at first. */
  get target(): number | undefined {
    return this.#estimator.offset;
  }

  /** How long a usual frame waits when the delay is as aimed at, milliseconds. */
  get targetDelay(): number | undefined {
    return this.#estimator.usualWait;
  }

  counters(): JitterCounters {
    return { ...this.#counters };
  }

  /** Starts a talkspurt with the first frame, once its time has come. */
  #begin(at: number, offset: number): Slot {
    this.#speaking = false;
    // A backlog that built up behind a stall is not played from its beginning, or the delay would stay with the turn.
    while (this.#waiting.length > 1 && this.#excess(at, offset) > 2 * this.#frameTime + this.#allowance) {
      this.#discard();
      this.#counters.late++;
    }
    const first = this.#waiting[0]?.frame;
    if (first === undefined) return PAUSE;
    const due = placed(first) + offset;
    return due > at ? { kind: "pause", until: due } : this.#play(at, offset);
  }

  #play(at: number, offset: number): Slot {
    const first = this.#waiting.shift();
    if (first === undefined) return PAUSE;
    const { frame, arrival } = first;
    this.#speaking = !frame.endOfTurn && frame.pauses !== true;
    this.#next = frame.sequence + 1;
    this.#cursor = (frame.timestamp + this.#frameSamples) >>> 0;
    this.#cursorCaptured = placed(frame) + this.#frameTime;
    this.#holes = 0;
    this.#wasBehind = isBehind(frame);
    const excess = at - placed(frame) - offset;
    this.#allowance = Math.max(0, Math.min(this.#allowance, excess));
    return { kind: "frame", frame, waited: at - arrival, adjust: this.#control.adjustment(at, excess) };
  }

  #missing(at: number, next: BufferedFrame | undefined): Slot {
    const needed = this.#estimator.needed ?? 0;
    if (at - this.#cursorCaptured < needed) {
      // The slot stays open: its frame may yet come and is then played one frame time later.
      this.#counters.awaited++;
      return { kind: "missing", next: undefined };
    }
    this.#cursor = (this.#cursor + this.#frameSamples) >>> 0;
    this.#cursorCaptured += this.#frameTime;
    this.#holes++;
    return { kind: "missing", next };
  }

  /** What comes in time waits for what came before anybody could take it: none of it is dropped for that. */
  #followOn(at: number, offset: number): void {
    const first = this.#waiting[0]?.frame;
    if (!this.#wasBehind || first === undefined || isBehind(first)) return;
    this.#wasBehind = false;
    this.#allowance = Math.max(this.#allowance, this.#excess(at, offset));
  }

  /** Leaves frames out when the delay is past all bounds. */
  #giveUp(at: number, offset: number): void {
    while (this.#waiting.length > 1 && this.#excess(at, offset) > MAXIMUM_EXCESS + this.#allowance) {
      this.#discard();
      this.#counters.shrunk++;
    }
  }

  /** Gives up the first frame and moves the slot to be filled after it. */
  #discard(): void {
    const frame = this.#waiting.shift()?.frame;
    if (frame === undefined) return;
    this.#next = frame.sequence + 1;
    this.#cursor = (frame.timestamp + this.#frameSamples) >>> 0;
    this.#cursorCaptured = placed(frame) + this.#frameTime;
    this.#holes = 0;
  }

  #excess(at: number, offset: number): number {
    const first = this.#waiting[0]?.frame;
    return first === undefined ? -offset : at - placed(first) - offset;
  }

  /** Frame times from the slot to be filled to `frame`'s place. */
  #ahead(frame: BufferedFrame): number {
    return Math.round(((frame.timestamp - this.#cursor) | 0) / this.#frameSamples);
  }

  #hasPassed(frame: BufferedFrame): boolean {
    return this.#speaking && !frame.startOfTurn && this.#holes > 0 && this.#ahead(frame) < 0;
  }
}

/** By what time a frame is placed: when it was captured, had it come at once. */
function placed({ captured, behind = 0 }: BufferedFrame): number {
  return captured + behind;
}

function isBehind({ behind = 0 }: BufferedFrame): boolean {
  return behind > 0;
}

const PAUSE: Slot = { kind: "pause", until: undefined };
