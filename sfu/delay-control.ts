import type { Adjustment } from "./time-stretch.ts";

/** The delay is left alone while it exceeds what is aimed at by no more, or falls short of it by no more, milliseconds. */
const TOLERATED_EXCESS = 15;
const TOLERATED_SHORTAGE = 5;

/** Once being reduced, the delay is reduced until it exceeds what is aimed at by no more, milliseconds. */
const SETTLED_EXCESS = 3;

/** While the excess is below this, milliseconds, frames are made shorter at most every {@link SHORTER_EVERY}. */
const GREAT_EXCESS = 100;
const SHORTER_EVERY = 200;

/** How alike the sounds joined must be where the delay is off by little; nothing is asked where it is off by a range, milliseconds. */
const LIKENESS = 0.97;
const EXCESS_RANGE = 150;
const SHORTAGE_RANGE = 30;

/**
 * Says how frames should change in length to bring the delay within a talkspurt to what is aimed at: up as fast as frames
 * can be made longer, down slowly, and not at all while it is off by little.
 */
export class DelayControl {
  #doing: "shorter" | "longer" | undefined;
  #shortenedAt = Number.NEGATIVE_INFINITY;

  /** For a frame played at `at` with a delay that exceeds what is aimed at by `excess`, milliseconds. */
  adjustment(at: number, excess: number): Adjustment | undefined {
    const isSettled = this.#doing === "shorter" ? excess <= SETTLED_EXCESS : excess >= 0;
    if (isSettled) this.#doing = undefined;
    if (excess > TOLERATED_EXCESS) this.#doing = "shorter";
    if (excess < -TOLERATED_SHORTAGE) this.#doing = "longer";
    if (this.#doing === undefined) return undefined;
    const isSoon = at - this.#shortenedAt < SHORTER_EVERY;
    if (this.#doing === "shorter" && isSoon && excess < GREAT_EXCESS) return undefined;
    const range = this.#doing === "shorter" ? EXCESS_RANGE : SHORTAGE_RANGE;
    return { ms: -excess, likeness: LIKENESS * Math.max(0, 1 - Math.abs(excess) / range) };
  }

  /** A frame was made shorter at `at`. */
  shortened(at: number): void {
    this.#shortenedAt = at;
  }
}
