/** When pictures were captured, on the page's own clock. */

/** How fast a picture that came quicker than all others is forgotten, as a share of the time that passes: clocks drift. */
const DRIFT = 0.0005;
/** A picture that seems later than this was stamped otherwise: sources begin their clocks anew, ms. */
const LATEST_MS = 200;

/**
 * Sources stamp their pictures on a clock of their own, and hand them over late by more or less. The quickest ones tell how the clocks
 * stand to each other.
 */
export class CaptureTime {
  #offset: number | undefined;
  #lastAt = 0;

  /** When a picture stamped `timestamp`, microseconds, that came at `now`, was captured: monotonic milliseconds, `now` at the latest. */
  of(timestamp: number, now: number): number {
    const stamp = timestamp / 1_000;
    const forgotten = DRIFT * Math.max(0, now - this.#lastAt);
    const seen = now - stamp;
    const known = this.#offset === undefined ? seen : this.#offset + forgotten;
    this.#offset = seen - known > LATEST_MS ? seen : Math.min(known, seen);
    this.#lastAt = now;
    return Math.min(now, stamp + this.#offset);
  }
}
