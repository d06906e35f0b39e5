/** Intervals a {@link Pacer} may lag before it gives up catching up and starts again from the present. */
const PACER_MAX_LATE = 10;

/**
 * Deadlines at a fixed interval that never drift: the n-th is computed from the anchor, not from when the previous
 * one was served. A driver that wakes late gets the missed deadlines one after the other, up to a limit.
 */
export class Pacer {
  readonly #interval: number;
  readonly #maxLate: number;
  #anchor: number;
  #served = 0;
  #reanchored = 0;
  #skipped = 0;

  /** `interval` in milliseconds, fractional allowed; the first deadline is `start`. */
  constructor(interval: number, start: number, maxLate: number = PACER_MAX_LATE) {
    this.#interval = interval;
    this.#maxLate = maxLate;
    this.#anchor = start;
  }

  /** Times the schedule was moved because the driver came too late. */
  get reanchored(): number {
    return this.#reanchored;
  }

  /** Whole intervals lost by that. */
  get skipped(): number {
    return this.#skipped;
  }

  /** The next deadline. */
  nextTimeout(): number {
    return this.#anchor + this.#served * this.#interval;
  }

  /** Moves the schedule: the next deadline is `at`, and the grid goes on from there. */
  restart(at: number): void {
    this.#anchor = at;
    this.#served = 0;
  }

  /** Lets the deadlines up to `now` go by unserved; none of them counts as lost. Returns how many there were. */
  pass(now: number): number {
    const passed = Math.max(0, Math.floor((now - this.nextTimeout()) / this.#interval) + 1);
    this.#served += passed;
    return passed;
  }

  /** Serves the next deadline if it has come and returns it, else `undefined`. Call until `undefined`. */
  take(now: number): number | undefined {
    const deadline = this.nextTimeout();
    if (now < deadline) return undefined;
    const late = Math.floor((now - deadline) / this.#interval);
    if (late > this.#maxLate) {
      // Whole intervals only, so that the grid keeps its phase.
      this.#skipped += late;
      this.#reanchored++;
      this.#anchor = deadline + late * this.#interval;
      this.#served = 1;
      return this.#anchor;
    }
    this.#served++;
    return deadline;
  }
}
