/** Arrivals the estimate rests on: ten seconds of 20 ms frames. The oldest gives way. */
const DELAY_SAMPLES = 500;

/** Share of frames that shall arrive before their time to be played. */
const ON_TIME_QUANTILE = 0.995;

/** Playout delay kept beyond the usual transit time even on a perfect network, milliseconds: absorbs a late timer. */
const MINIMUM_DELAY = 10;

/** Playout delay kept beyond what {@link ON_TIME_QUANTILE} asks for, milliseconds: what comes is a little worse than what was seen. */
const LATENESS_MARGIN = 5;

/** Playout delay never exceeds the fastest transit by more, milliseconds. Later frames are given up. */
export const MAXIMUM_DELAY = 500;

/** The delay aimed at is lowered by at most this share of the media's time: a bad time may come again. */
const LOWERING = 0.025;

/** What it exceeds the need by beyond this, milliseconds, is noticed by who talks, and goes within about {@link FAR_TIME} more. */
const FAR = 60;
const FAR_TIME = 1_000;

/**
 * Frames that come in one burst waited behind one stall: its first tells how long it was, and each of the others counts as
 * needing at most so many milliseconds more than a usual frame. A stall that comes again is planned for, one alone is not.
 */
const BURST_DELAY = 60;

/** What comes so soon after a standstill, milliseconds, and later than usual, was held up by it alone: it says nothing of how frames come after it. */
const STANDSTILL_BEHIND = 1_000;

/**
 * Learns how long after its capture a frame should be played, from the transit times of past frames: arrival by the
 * local clock minus capture by the speaker's. Only differences matter, so the clocks need not agree; a slow drift
 * between them moves the samples and the estimate with them.
 */
export class DelayEstimator {
  readonly #minimum: number;
  readonly #maximum: number;
  readonly #frameTime: number;
  readonly #transits = new Float64Array(DELAY_SAMPLES);
  readonly #sorted = new Float64Array(DELAY_SAMPLES);
  #count = 0;
  #position = 0;
  #stale = 0;
  #offset: number | undefined;
  #needed: number | undefined;
  /** What is played waits for something else by so much more. */
  #wait = 0;
  #lastTransit = 0;
  #lastArrival = Number.NEGATIVE_INFINITY;
  #stoodStillUntil = Number.NEGATIVE_INFINITY;

  /** Delays, and the time from one frame to the next (20 unless told otherwise), in milliseconds. */
  constructor(
    limits: {
      readonly minimumDelay?: number;
      readonly maximumDelay?: number;
      readonly frameTime?: number;
    } = {},
  ) {
    this.#minimum = limits.minimumDelay ?? MINIMUM_DELAY;
    this.#maximum = limits.maximumDelay ?? MAXIMUM_DELAY;
    this.#frameTime = limits.frameTime ?? 20;
  }

  /** Takes one frame's transit time and when it arrived, milliseconds, late frames' too. */
  observe(transit: number, arrival: number): void {
    const isBehind = arrival - this.#lastArrival < this.#frameTime / 2 && transit <= this.#lastTransit;
    this.#lastTransit = transit;
    this.#lastArrival = arrival;
    const most = this.#at(0.5) + BURST_DELAY;
    const isHeldUp = isBehind || arrival - this.#stoodStillUntil < STANDSTILL_BEHIND;
    this.#learn(isHeldUp ? Math.min(transit, most) : transit);
  }

  /** The way stood still until `arrival`: much of what was sent before never came. */
  stoodStill(arrival: number): void {
    if (this.#count > 0) this.#stoodStillUntil = arrival;
  }

  #learn(transit: number): void {
    this.#replace(transit);
    this.#stale++;
    const surprised = this.#offset === undefined || transit > this.#offset;
    if (surprised || this.#count < 2 * RECOMPUTE_EVERY || this.#stale >= RECOMPUTE_EVERY) this.#recompute();
  }

  /** Play a frame at its capture time plus this, in local milliseconds. `undefined` before the first frame. */
  get offset(): number | undefined {
    return this.#offset;
  }

  /** The part of `offset` without which too many frames would be late. Never above `offset`. */
  get needed(): number | undefined {
    return this.#needed;
  }

  /** Frames are played so many milliseconds later than they need themselves: something that comes later is to go with them. */
  waitFor(wait: number): void {
    if (wait === this.#wait) return;
    this.#wait = wait;
    if (this.#count > 0) this.#recompute();
  }

  /** How long a frame of usual transit waits by `offset`. */
  get usualWait(): number | undefined {
    return this.#offset === undefined ? undefined : this.#offset - this.#at(0.5);
  }

  /** Puts a sample in the place of the oldest, and into the order. */
  #replace(transit: number): void {
    const sorted = this.#sorted;
    if (this.#count === DELAY_SAMPLES) {
      const gone = this.#place(this.#transits[this.#position] as number);
      sorted.copyWithin(gone, gone + 1, this.#count);
      this.#count -= 1;
    }
    const place = this.#place(transit);
    sorted.copyWithin(place + 1, place, this.#count);
    sorted[place] = transit;
    this.#count += 1;
    this.#transits[this.#position] = transit;
    this.#position = (this.#position + 1) % DELAY_SAMPLES;
  }

  /** How many samples are below `transit`: where it stands, or would, among them. */
  #place(transit: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sorted[middle] as number) < transit) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #recompute(): void {
    const ceiling = this.#at(0) + this.#maximum;
    const [late, usual] = [this.#at(ON_TIME_QUANTILE) + this.#wait, this.#at(0.5) + this.#wait];
    this.#needed = Math.min(late, ceiling);
    const wanted = Math.max(this.#needed + LATENESS_MARGIN, usual + this.#minimum);
    this.#offset = Math.min(Math.max(wanted, this.#lowered(wanted)), ceiling);
    this.#stale = 0;
  }

  /** As low as the delay may be by now. */
  #lowered(wanted: number): number {
    if (this.#offset === undefined) return wanted;
    const far = Math.max(0, this.#offset - wanted - FAR);
    const passed = this.#stale * this.#frameTime;
    return this.#offset - LOWERING * passed - far * Math.min(1, passed / FAR_TIME);
  }

  #at(quantile: number): number {
    return this.#sorted[Math.max(0, Math.ceil(quantile * this.#count) - 1)] ?? 0;
  }
}

/** Frames between two looks at all samples; a frame later than expected causes one at once. */
const RECOMPUTE_EVERY = 10;
