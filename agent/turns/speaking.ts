import type { Clock } from "../../codecs/clock.ts";
import type { FrameFate } from "../frame-fate.ts";
import { LoudnessDetector } from "./loudness-detector.ts";

/** Speaking goes on over pauses this long, ms. */
const HANGOVER_MS = 400;
/** Without any frame for this long nobody speaks, ms. */
const SILENT_MS = 300;
/** What was written has to leave within this time, ms. */
const STALL_MS = 1_000;

/** Somebody began to speak, or is done. */
export interface SpeakingChanged {
  /** This end, by the frames that really left; or the other one, by those that came and were verified. */
  readonly who: "me" | "peer";
  readonly speaking: boolean;
}

/** Something was written and nothing leaves. */
export interface VoiceStalled {
  /** Since when, monotonic milliseconds. */
  readonly since: number;
}

export interface SpeakingOptions {
  readonly clock: Clock;
  readonly changed: (event: SpeakingChanged) => void;
  readonly stalled: (event: VoiceStalled) => void;
}

/** Who speaks in a call, told by frames alone: what was written and never left is no speech. */
export class Speaking {
  readonly #options: SpeakingOptions;
  readonly #me: Side;
  readonly #peer: Side;
  #writtenAt: number | undefined;
  #cancelWatchdog: () => void = () => {};
  #finished = false;

  constructor(options: SpeakingOptions) {
    const { clock, changed } = options;
    this.#options = options;
    this.#me = new Side(clock, (speaking) => changed({ who: "me", speaking }));
    this.#peer = new Side(clock, (speaking) => changed({ who: "peer", speaking }));
  }

  get present(): { readonly me: boolean; readonly peer: boolean } {
    return { me: this.#me.speaking, peer: this.#peer.speaking };
  }

  /** What became of a frame. */
  frame({ direction, fate, level }: FrameFate): void {
    if (this.#finished || level === undefined) return;
    if (fate === "sent" && direction === "sent") {
      this.#writtenAt = undefined;
      this.#cancelWatchdog();
      this.#me.frame(level);
    } else if (fate === "verified") this.#peer.frame(level);
  }

  /** Sound was written that is to leave. */
  wrote(): void {
    if (this.#finished || this.#writtenAt !== undefined) return;
    const { clock, stalled } = this.#options;
    const since = clock.now();
    this.#writtenAt = since;
    this.#cancelWatchdog = clock.at(since + STALL_MS, () => stalled({ since }));
  }

  /** What was written is not to leave any more. */
  tookBack(): void {
    this.#writtenAt = undefined;
    this.#cancelWatchdog();
  }

  /** The call is over. */
  finish(): void {
    this.tookBack();
    this.#me.stop();
    this.#peer.stop();
    this.#finished = true;
  }
}

class Side {
  readonly #clock: Clock;
  readonly #changed: (speaking: boolean) => void;
  readonly #detector = new LoudnessDetector({ hangoverMs: HANGOVER_MS });
  #last: number | undefined;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, changed: (speaking: boolean) => void) {
    this.#clock = clock;
    this.#changed = changed;
  }

  get speaking(): boolean {
    return this.#detector.speaking;
  }

  frame(level: number): void {
    const now = this.#clock.now();
    const since = this.#last === undefined ? USUAL_FRAME_MS : Math.min(now - this.#last, LONGEST_FRAME_MS);
    this.#last = now;
    const change = this.#detector.push(level, since);
    if (change !== undefined) this.#changed(change === "begun");
    if (this.speaking) this.#cancel ??= this.#clock.at(now + SILENT_MS, () => this.#look());
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (!this.speaking) return;
    this.#detector.reset();
    this.#changed(false);
  }

  #look(): void {
    this.#cancel = undefined;
    const silentAt = (this.#last ?? 0) + SILENT_MS;
    if (!this.speaking) return;
    if (this.#clock.now() >= silentAt) this.stop();
    else this.#cancel = this.#clock.at(silentAt, () => this.#look());
  }
}

/** What a frame stands for where none came before, ms, and at most: what came after a gap is not longer for it. */
const USUAL_FRAME_MS = 20;
const LONGEST_FRAME_MS = 60;
