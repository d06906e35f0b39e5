/** Exchanges remembered; the one with the shortest round trip decides. The oldest goes first. */
export const CLOCK_SAMPLES = 8;

/** How fast two undisciplined clocks may part, milliseconds per millisecond (100 ppm). */
const CLOCK_DRIFT = 100e-6;

export interface ClockEstimate {
  /** Milliseconds to add to local time to get the server's. */
  readonly offset: number;
  /** The true offset lies within this many milliseconds of `offset`, whatever the path's asymmetry. */
  readonly uncertainty: number;
  /** Round trip of the exchange that decided, milliseconds. */
  readonly roundTrip: number;
}

/** Estimates the difference between the local clock and the server's from request and answer times (RFC 5905 section 8). */
export class ClockSync {
  readonly #samples: { offset: number; roundTrip: number; at: number }[] = [];

  /**
   * Adds one exchange: local send `t0`, server receive `t1`, server send `t2`, local receive `t3`, all milliseconds
   * since the Unix epoch. False, and nothing is kept, when they contradict causality or are not numbers.
   */
  add(t0: number, t1: number, t2: number, t3: number): boolean {
    const roundTrip = t3 - t0 - (t2 - t1);
    if (!(t3 >= t0 && t2 >= t1 && roundTrip >= 0 && Number.isFinite(roundTrip))) return false;
    if (this.#samples.length === CLOCK_SAMPLES) this.#samples.shift();
    this.#samples.push({ offset: (t1 - t0 + (t2 - t3)) / 2, roundTrip, at: t3 });
    return true;
  }

  /** Exchanges in memory. */
  get samples(): number {
    return this.#samples.length;
  }

  /** The best estimate at local time `now`, or `undefined` before the first exchange. */
  estimate(now: number): ClockEstimate | undefined {
    let best: ClockEstimate | undefined;
    for (const sample of this.#samples) {
      const uncertainty = sample.roundTrip / 2 + Math.max(0, now - sample.at) * CLOCK_DRIFT;
      if (best === undefined || uncertainty <= best.uncertainty) {
        best = { offset: sample.offset, uncertainty, roundTrip: sample.roundTrip };
      }
    }
    return best;
  }
}
