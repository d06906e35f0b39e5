import type { Adjustment } from "./time-stretch.ts";

/** The delay is left alone while it exceeds what is aimed at by no more, or falls short of it by no more, milliseconds. */
const TOLERATED_EXCESS = 15;
const TOLERATED_SHORTAGE = 5;

/** Once being reduced, the delay is reduced until it exceeds what is aimed at by no more, milliseconds. */
const SETTLED_EXCESS = 8;

/** While the excess is below this, milliseconds, frames are made shorter at most every {@link SHORTER_EVERY}. */
const GREAT_EXCESS = 100;
const SHORTER_EVERY = 200;

/** How alike the sounds joined must be while the delay is off by little more than is tolerated; the more it is off, the less, milliseconds. */
const LIKENESS = 0.98;
const LITTLE = 10;
const EXCESS_RANGE = 150;
const SHORTAGE_RANGE = 30;

/** A frame may be made longer than the shortage asks by so much, milliseconds: the best joint is worth it. */
const SPARE = 5;

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
    if (this.#doing === "shorter") {
      return { ms: -excess, likeness: likeness(excess - TOLERATED_EXCESS, EXCESS_RANGE) };
    }
    return { ms: SPARE - excess, likeness: likeness(-excess - TOLERATED_SHORTAGE, SHORTAGE_RANGE) };
  }

  /** A frame was made shorter at `at`. */
  shortened(at: number): void {
    this.#shortenedAt = at;
  }
}

/** `beyond` what is tolerated by so many milliseconds. */
function likeness(beyond: number, range: number): number {
  return LIKENESS * (1 - Math.min(1, Math.max(0, beyond - LITTLE) / range));
}
