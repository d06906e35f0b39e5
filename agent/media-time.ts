import type { Clock } from "../codecs/clock.ts";

/**
 * Capture times for one attachment: wall-clock time read once and carried on by the monotonic clock, so that a step of the
 * machine's clock in mid-call moves no frame.
 */
export class MediaTime {
  readonly #clock: Clock;
  readonly #offset: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#offset = clock.wall() - clock.now();
  }

  /** Unix milliseconds now. */
  wall(): number {
    return this.#clock.now() + this.#offset;
  }

  /** Unix milliseconds at monotonic time `at`. */
  wallAt(at: number): number {
    return at + this.#offset;
  }
}
