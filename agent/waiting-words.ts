import type { Clock } from "../codecs/clock.ts";
import { audioLevel } from "./audio-level.ts";
import type { PcmQueue } from "./pcm-queue.ts";

/** Why what is said waits: this end has no connection, the other end has none, shows no sign of itself yet, or asked for a pause. */
export type WaitReason = "detached" | "peer-detached" | "peer-silent" | "paused";

/** How long words wait at most, ms, for a connection and in a pause; then time goes on for them, heard or not. */
const LONGEST_WAIT_MS: Readonly<Record<WaitReason, number>> = {
  detached: 5_000,
  "peer-detached": 5_000,
  "peer-silent": 4_000,
  paused: 2_000,
};
/** What is said since gives back this share of the time that may be spent in pauses. */
const PAUSE_SHARE = 0.1;
/** Quieter than this is left out of what is said late, dB below full scale, but for the first part of each quiet stretch, ms. */
const QUIET_LEVEL = 50;
const KEPT_QUIET_MS = 100;

export interface WaitingWordsOptions {
  readonly clock: Clock;
  /** Milliseconds of sound that wait, besides those that always may. */
  readonly queued: () => number;
  /** A reason is gone: what waits may go. */
  readonly goOn: () => void;
}

/** Whether the words of a writer wait, and by how much they are late since: what is left out of their pauses makes it good. */
export class WaitingWords {
  readonly #options: WaitingWordsOptions;
  /** What ends each reason's time. */
  readonly #reasons = new Map<WaitReason, () => void>();
  #behind = 0;
  #quiet = 0;
  #leftOut = 0;
  /** Milliseconds that pauses may still take, however many there are. */
  #pauseLeft = LONGEST_WAIT_MS.paused;
  #pausedAt = 0;

  constructor(options: WaitingWordsOptions) {
    this.#options = options;
  }

  /** Frames left out so far. */
  get leftOut(): number {
    return this.#leftOut;
  }

  get isWaiting(): boolean {
    return this.#reasons.size > 0;
  }

  /** Milliseconds of sound more than usual that a writer may be ahead: one that cannot wait, a microphone, loses nothing meanwhile. */
  get allowance(): number {
    return this.isWaiting
      ? Math.max(...[...this.#reasons.keys()].map((reason) => LONGEST_WAIT_MS[reason]))
      : this.#behind;
  }

  /**
   * Words wait from now on, until `end` or for as long as {@link LONGEST_WAIT_MS} says: all pauses together, until what waited has been said,
   * a share of it is given back, or it was thrown away. Idempotent.
   */
  begin(reason: WaitReason): void {
    if (this.#reasons.has(reason)) return;
    const { clock } = this.#options;
    if (reason === "paused") {
      if (this.#options.queued() <= 0) this.#pauseLeft = LONGEST_WAIT_MS.paused;
      if (this.#pauseLeft <= 0) return;
      this.#pausedAt = clock.now();
    }
    const longest = reason === "paused" ? this.#pauseLeft : LONGEST_WAIT_MS[reason];
    this.#reasons.set(
      reason,
      clock.at(clock.now() + longest, () => this.end(reason)),
    );
  }

  /** That reason is gone. Idempotent. */
  end(reason: WaitReason): void {
    if (!this.#forget(reason)) return;
    if (!this.isWaiting) this.#behind = Math.max(this.#behind, this.#options.queued());
    this.#options.goOn();
  }

  /** What waited was thrown away: the other end's pause was for that. */
  flushed(): void {
    this.#forget("paused");
    this.#behind = 0;
    this.#pauseLeft = LONGEST_WAIT_MS.paused;
  }

  /** Nothing is said any more. */
  finish(): void {
    for (const reason of this.#reasons.keys()) this.#forget(reason);
  }

  /** Where what is said is late, quiet frames that wait are taken out of `queue`, into `frame`. Returns the level of the one that is next, where that was looked at. */
  catchUp(queue: PcmQueue, frame: Int16Array, milliseconds: number): number | undefined {
    while (queue.length >= 2 * frame.length) {
      const next = queue.peek(frame.length);
      const level = audioLevel(next);
      if (!this.leavesOut(level, milliseconds)) return next.length === frame.length ? level : undefined;
      queue.fill(frame);
      this.#leftOut += 1;
    }
    if (!this.isWaiting) this.#behind = 0;
    return undefined;
  }

  /** Whether a frame of this level and length is left out. Once for each frame. */
  leavesOut(level: number, milliseconds: number): boolean {
    this.#quiet = level >= QUIET_LEVEL ? this.#quiet + milliseconds : 0;
    if (this.#behind <= 0 || this.#quiet <= KEPT_QUIET_MS) {
      this.#pauseLeft = Math.min(this.#pauseLeft + PAUSE_SHARE * milliseconds, LONGEST_WAIT_MS.paused);
      return false;
    }
    this.#behind -= milliseconds;
    return true;
  }

  #forget(reason: WaitReason): boolean {
    this.#reasons.get(reason)?.();
    if (reason === "paused" && this.#reasons.has(reason))
      this.#pauseLeft -= this.#options.clock.now() - this.#pausedAt;
    return this.#reasons.delete(reason);
  }
}
