/** Credit that grows with time up to a ceiling. Times are milliseconds of any one clock; going backwards earns nothing. */
export class TokenBucket {
  readonly #perMillisecond: number;
  readonly capacity: number;
  #level: number;
  #at: number;

  /** Starts full. `perSecond` tokens accrue each second, `capacity` at most are kept. */
  constructor(perSecond: number, capacity: number, now: number) {
    this.#perMillisecond = perSecond / 1000;
    this.capacity = capacity;
    this.#level = capacity;
    this.#at = now;
  }

  /** Whether `amount` could be taken at `now`. */
  has(amount: number, now: number): boolean {
    if (now > this.#at) {
      this.#level = Math.min(this.capacity, this.#level + (now - this.#at) * this.#perMillisecond);
      this.#at = now;
    }
    return this.#level >= amount - ROUNDING;
  }

  /** Takes what `has` just allowed. */
  take(amount: number): void {
    this.#level -= amount;
  }

  /** When `amount` is there if nothing is taken meanwhile, which may be in the past; `Infinity` if never. */
  availableAt(amount: number): number {
    if (this.#level >= amount) return this.#at;
    if (amount > this.capacity || this.#perMillisecond <= 0) return Number.POSITIVE_INFINITY;
    return this.#at + (amount - this.#level) / this.#perMillisecond;
  }
}

/** A ceiling on frames and on bytes at once, with credit for `burst` seconds of each. */
export class FrameRate {
  readonly #frames: TokenBucket;
  readonly #bytes: TokenBucket;

  constructor(
    rate: { readonly framesPerSecond: number; readonly bytesPerSecond: number; readonly burst: number },
    now: number,
  ) {
    this.#frames = new TokenBucket(rate.framesPerSecond, rate.framesPerSecond * rate.burst, now);
    this.#bytes = new TokenBucket(rate.bytesPerSecond, rate.bytesPerSecond * rate.burst, now);
  }

  /** Takes one frame of `bytes` when both ceilings allow it; otherwise takes nothing. `mayOwe` as in {@link LegCeiling.take}. */
  take(bytes: number, now: number, mayOwe: boolean = false): boolean {
    const wanted = mayOwe ? Math.min(bytes, this.#bytes.capacity) : bytes;
    if (!this.#frames.has(1, now) || !this.#bytes.has(wanted, now)) return false;
    this.#frames.take(1);
    this.#bytes.take(bytes);
    return true;
  }
}

/** Seconds of a leg's cap that it may send at once after a pause. */
export const CEILING_BURST = 2;

/** A cap on the payload that one leg sends, all its streams together. */
export class LegCeiling {
  readonly bitsPerSecond: number;
  readonly #bytes: TokenBucket;

  /** `burst`: seconds of the cap that it may send at once. */
  constructor(bitsPerSecond: number, now: number, burst: number = CEILING_BURST) {
    this.bitsPerSecond = bitsPerSecond;
    this.#bytes = new TokenBucket(bitsPerSecond / 8, (bitsPerSecond / 8) * burst, now);
  }

  /**
   * Takes `bytes` where the cap allows it; otherwise takes nothing. `mayOwe`: a frame of more than all credit there can be passes where all of
   * it is there, and is made good before the next one: key frames of video are many times the others.
   */
  take(bytes: number, now: number, mayOwe: boolean = false): boolean {
    if (!this.#bytes.has(mayOwe ? Math.min(bytes, this.#bytes.capacity) : bytes, now)) return false;
    this.#bytes.take(bytes);
    return true;
  }
}

/** Absorbs rounding, so that what `availableAt` promises is there at that time. */
const ROUNDING = 1e-6;
