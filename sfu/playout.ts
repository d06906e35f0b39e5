import {
  type BufferedFrame,
  type InsertOutcome,
  JitterBuffer,
  type JitterCounters,
  type Slot,
} from "./jitter-buffer.ts";
import { Pacer } from "./pacer.ts";
import type { Adjustment } from "./time-stretch.ts";

/** A missing stretch is concealed for this long, milliseconds, or for one frame if that is longer; the rest is silence. */
export const CONCEALMENT_LIMIT = 100;

/** How long the sound takes to fade away when an interrupt cuts it off, milliseconds. */
export const FADE_MS = 10;

/** A pause is over after this, milliseconds, though nobody said so. */
export const MAX_PAUSE_MS = 2000;

/** Frame times a late driver catches up on; beyond that they are skipped and counted. */
export const MAX_CATCH_UP = 50;

/** What to put out from `at` on (milliseconds of the clock given to `poll`): one frame, or silence. Each ends where the next begins. */
export type PlayoutStep =
  /** Decode `frame.payload`. `waited`: milliseconds it spent in the buffer. `adjust`: how its playing time should change; tell `adjusted`. */
  | {
      readonly kind: "play";
      readonly at: number;
      readonly frame: BufferedFrame;
      readonly waited: number;
      readonly adjust: Adjustment | undefined;
    }
  /** Conceal one frame, from the payload of `next` where the codec can (`AudioCodec.conceal`). `isLast`: silence follows, fade it out. */
  | {
      readonly kind: "conceal";
      readonly at: number;
      readonly next: BufferedFrame | undefined;
      readonly isLast: boolean;
    }
  /** Conceal one frame and put out {@link FADE_MS} of it at most, fading out; tell `lasts`. An interrupt or a pause cut a talkspurt off. */
  | { readonly kind: "fade"; readonly at: number }
  /** `samples` of zeros a channel, one frame or less: nobody speaks, or concealment ran out. */
  | { readonly kind: "silence"; readonly at: number; readonly samples: number };

export interface PlayoutCounters extends JitterCounters {
  /** Frames given out to be played. */
  readonly heard: number;
  /** Frame times concealed. */
  readonly concealed: number;
  /** Those among them that the following payload, at hand, carries coarsely. */
  readonly recovered: number;
  /** Frames given out that another one carried. */
  readonly redundant: number;
  readonly silent: number;
  /** Frame times skipped because the driver came too late. */
  readonly skipped: number;
  /** Milliseconds by which frames were played shorter, and longer, to change the delay. */
  readonly accelerated: number;
  readonly expanded: number;
  /** Milliseconds frames lately waited in the buffer, smoothed; `undefined` before the first. */
  readonly delay: number | undefined;
  /** Milliseconds a usual frame waits when the delay is as aimed at; `undefined` before the first. */
  readonly target: number | undefined;
}

/**
 * Plays one stream: on a grid of frame times that never drifts, each tick says what to put out. Where silence ends the
 * grid moves to when the first frame is due, by a silence shorter than a frame, so that no talkspurt waits for a tick; and
 * it moves with each frame that plays longer or shorter than it lasts. Drive it by calling `poll` at `nextTimeout` until it returns `undefined`. Times are milliseconds of one monotonic clock.
 */
export class Playout {
  readonly #clockRate: number;
  readonly #frameSamples: number;
  readonly #frameTime: number;
  readonly #buffer: JitterBuffer;
  readonly #pacer: Pacer;
  #run = 0;
  /** Why the next tick fades out. */
  #fade: "cut" | "pause" | undefined;
  #pausedAt: number | undefined;
  #playing = 0;
  #accelerated = 0;
  #expanded = 0;
  #heard = 0;
  #concealed = 0;
  #recovered = 0;
  #redundant = 0;
  #silent = 0;
  #delay: number | undefined;

  /** One frame time is `frameSamples` at `clockRate` Hz; the first tick is at `start`. Delays as in `DelayEstimator`. */
  constructor(options: {
    readonly clockRate: number;
    readonly frameSamples: number;
    readonly start: number;
    readonly minimumDelay?: number;
    readonly maximumDelay?: number;
  }) {
    this.#clockRate = options.clockRate;
    this.#frameSamples = options.frameSamples;
    this.#frameTime = (options.frameSamples * 1000) / options.clockRate;
    this.#buffer = new JitterBuffer(options);
    this.#pacer = new Pacer(this.#frameTime, options.start, MAX_CATCH_UP);
  }

  /** Takes a verified frame that arrived at `arrival`. Late ones and duplicates are counted and dropped. */
  insert(frame: BufferedFrame, arrival: number): InsertOutcome {
    return this.#buffer.insert(frame, arrival);
  }

  /** Takes a frame that another one carried: see {@link JitterBuffer.insertCarried}. */
  insertCarried(frame: BufferedFrame, arrival: number): InsertOutcome {
    return this.#buffer.insertCarried(frame, arrival);
  }

  /** Frames are played so many milliseconds later than they need themselves from now on. */
  waitFor(wait: number): void {
    this.#buffer.waitFor(wait);
  }

  /** Throws away what waits: an interrupt. Where somebody was speaking the next tick fades the sound out. A pause is over. */
  flush(): void {
    this.#cutOff(this.#buffer.flush());
  }

  /** The same, where another process speaks from now on: its frames are placed as if they were the first. */
  restart(): void {
    this.#cutOff(this.#buffer.restart());
  }

  /** The next tick fades the sound out, and nothing is played until `resume`, for {@link MAX_PAUSE_MS} at most. What comes is kept. Idempotent. */
  pause(now: number): void {
    if (this.#pausedAt !== undefined) return;
    this.#pausedAt = now;
    if (this.#buffer.isSpeaking) this.#fade ??= "pause";
  }

  /** Goes on where `pause` stopped: all of it is heard, and the delay that remains is worked off. Idempotent. */
  resume(now: number): void {
    if (this.#pausedAt === undefined) return;
    this.#buffer.resume(Math.max(0, now - this.#pausedAt));
    this.#pausedAt = undefined;
    if (this.#fade === "pause") this.#fade = undefined;
  }

  get isPaused(): boolean {
    return this.#pausedAt !== undefined;
  }

  /** What `poll` gave out last plays for so many samples a channel, not for a frame time. */
  lasts(samples: number): void {
    this.#pacer.restart(this.#playing + (samples * 1000) / this.#clockRate);
  }

  /** The frame that `poll` gave out last was adjusted and plays for so many samples a channel. */
  adjusted(samples: number): void {
    this.lasts(samples);
    const change = ((samples - this.#frameSamples) * 1000) / this.#clockRate;
    if (change < 0) this.#buffer.shortened(this.#playing);
    if (change < 0) this.#accelerated -= change;
    else this.#expanded += change;
  }

  /** Nothing waits and nobody speaks: each tick puts out silence until something is told again. */
  get isIdle(): boolean {
    const isQuiet = !this.#buffer.isSpeaking && this.#buffer.size === 0;
    return isQuiet && this.#fade === undefined && this.#pausedAt === undefined;
  }

  /** The ticks up to `now` go by in the silence that nobody asked for. Only while {@link isIdle}. */
  pass(now: number): void {
    this.#run = 0;
    this.#silent += this.#pacer.pass(now);
  }

  /** The next tick. */
  nextTimeout(): number {
    return this.#pacer.nextTimeout();
  }

  /** What the next tick puts out, if its time has come. */
  poll(now: number): PlayoutStep | undefined {
    const at = this.#pacer.take(now);
    if (at === undefined) return undefined;
    this.#playing = at;
    if (this.#fade !== undefined) {
      this.#fade = undefined;
      this.#run = 0;
      this.#concealed++;
      return { kind: "fade", at };
    }
    if (this.#pausedAt !== undefined && at - this.#pausedAt >= MAX_PAUSE_MS) this.resume(at);
    const slot: Slot = this.#pausedAt === undefined ? this.#buffer.take(at) : PAUSED;
    if (slot.kind === "frame") {
      this.#run = 0;
      this.#heard++;
      if (slot.frame.carrier !== undefined) this.#redundant++;
      // A driver that comes late takes what came meanwhile: that did not wait at all.
      const waited = Math.max(0, slot.waited);
      this.#delay = this.#delay === undefined ? waited : this.#delay + (waited - this.#delay) / 16;
      return { kind: "play", at, frame: slot.frame, waited: slot.waited, adjust: slot.adjust };
    }
    if (slot.kind === "missing") {
      if (this.#run === 0 || (this.#run + 1) * this.#frameTime <= CONCEALMENT_LIMIT) {
        this.#run++;
        this.#concealed++;
        if (slot.next !== undefined) this.#recovered++;
        const isLast = slot.next === undefined && (this.#run + 1) * this.#frameTime > CONCEALMENT_LIMIT;
        return { kind: "conceal", at, next: slot.next, isLast };
      }
      this.#buffer.rest();
    }
    this.#run = 0;
    this.#silent++;
    return {
      kind: "silence",
      at,
      samples: this.#silence(at, slot.kind === "pause" ? slot.until : undefined),
    };
  }

  /** Samples of silence from `at`: a frame, or as many as are left until the next talkspurt begins. */
  #silence(at: number, until: number | undefined): number {
    if (until === undefined) return this.#frameSamples;
    const samples = Math.max(1, Math.ceil(((until - at) * this.#clockRate) / 1000));
    if (samples >= this.#frameSamples) return this.#frameSamples;
    this.#pacer.restart(at + (samples * 1000) / this.#clockRate);
    return samples;
  }

  #cutOff(wasSpeaking: boolean): void {
    if (wasSpeaking && this.#pausedAt === undefined) this.#fade = "cut";
    this.#pausedAt = undefined;
  }

  /** Whether a cut-off sound has yet to fade out. */
  get isFading(): boolean {
    return this.#fade !== undefined;
  }

  counters(): PlayoutCounters {
    return {
      ...this.#buffer.counters(),
      heard: this.#heard,
      concealed: this.#concealed,
      recovered: this.#recovered,
      redundant: this.#redundant,
      silent: this.#silent,
      skipped: this.#pacer.skipped,
      accelerated: this.#accelerated,
      expanded: this.#expanded,
      delay: this.#delay,
      target: this.#buffer.targetDelay,
    };
  }
}

const PAUSED: Slot = { kind: "pause", until: undefined };
