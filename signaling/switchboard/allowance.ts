/** A rate with a burst: a token bucket that starts full. */
export class Allowance {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #at: number;

  constructor(rate: { readonly perSecond: number; readonly burst: number }, now: number) {
    this.#perSecond = rate.perSecond;
    this.#burst = rate.burst;
    this.#tokens = rate.burst;
    this.#at = now;
  }

  /** Takes one token, or says that there is none. */
  take(now: number): boolean {
    this.#refill(now);
    if (this.#tokens < WHOLE) return false;
    this.#tokens = Math.max(0, this.#tokens - 1);
    return true;
  }

  /** When the next token is there, milliseconds in the time of `now`. */
  nextAt(now: number): number {
    this.#refill(now);
    return this.#tokens >= WHOLE ? now : now + ((1 - this.#tokens) * 1000) / this.#perSecond;
  }

  #refill(now: number): void {
    // A clock that was set back gives nothing, and takes nothing from what comes after.
    const passed = Math.max(0, now - this.#at);
    this.#tokens = Math.min(this.#burst, this.#tokens + (passed * this.#perSecond) / 1000);
    this.#at = now;
  }
}

/**
 * What counts as one token: time since the epoch in milliseconds has a grain, so that what `nextAt` promises may be a little
 * short at that time. Without this, who waits for it would ask again at the same instant, for ever.
 */
const WHOLE = 1 - 1e-3;
