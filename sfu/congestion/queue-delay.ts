/** Milliseconds that one slot of the memory for the least delays covers. */
const SLOT = 5_000;
/** Slots: what was the least delay so long ago no longer counts, for paths change and clocks drift. */
const SLOTS = 12;
/** One-way delays that are off by more than this, milliseconds, by what round trips say, show a step of the receiver's clock. */
const CLOCK_STEP = 100;
/** The report that showed it may have been late itself, and hidden a part of the step: for so long a rest of it counts from this on, milliseconds. */
const STEP_SETTLES = 2_000;
const REST_OF_STEP = 20;

/** Milliseconds above the least delay that still count as it. */
const SAME = 3;

/** What a report says of waiting. */
export interface FoundDelay {
  /** Milliseconds in queues, of the packet that waited least in this report and the one before. */
  readonly delay: number;
  readonly roundTrip: number;
  /** When packets last waited no longer than ever. */
  readonly confirmedAt: number;
}

/**
 * How long packets wait in queues, from their one-way delays: arrival by the receiver's clock less sending by the
 * sender's. Only differences count, so the clocks need not agree; what exceeds the least delay of the last minute is waiting.
 */
export class QueueDelay {
  readonly #oneWays = new LeastOfAMinute();
  readonly #roundTrips = new LeastOfAMinute();
  #least = Number.POSITIVE_INFINITY;
  #leastRoundTrip = Number.POSITIVE_INFINITY;
  #steps = 0;
  #steppedAt = Number.NEGATIVE_INFINITY;
  #before: number | undefined;
  #confirmedAt = Number.NEGATIVE_INFINITY;

  /** Steps of the receiver's clock that were seen. */
  get clockSteps(): number {
    return this.#steps;
  }

  /** One packet of a report: its one-way delay, and the round trip that it and the report took. */
  add(oneWay: number, roundTrip: number): void {
    if (oneWay < this.#least) this.#least = oneWay;
    if (roundTrip < this.#leastRoundTrip) this.#leastRoundTrip = roundTrip;
  }

  /** The report is complete: how long the packet that waited least has waited; `undefined` when no time was told. */
  report(now: number): FoundDelay | undefined {
    const [oneWay, roundTrip] = [this.#least, this.#leastRoundTrip];
    if (oneWay === Number.POSITIVE_INFINITY) return undefined;
    this.#least = Number.POSITIVE_INFINITY;
    this.#leastRoundTrip = Number.POSITIVE_INFINITY;
    const step = this.#stepOf(oneWay, roundTrip, now);
    if (step !== 0) this.#shift(step, now);
    this.#roundTrips.remember(roundTrip, now);
    const base = this.#oneWays.remember(oneWay, now);
    if (oneWay <= base + SAME) this.#confirmedAt = now;
    const delay = Math.max(0, Math.min(oneWay, this.#before ?? oneWay) - base);
    this.#before = oneWay;
    return { delay, roundTrip, confirmedAt: this.#confirmedAt };
  }

  /**
   * By how much the receiver's clock was set, as far as this report shows. What waits on its way there does so in the round trip as well, however late the report came
   * back: a one-way delay that grew by more was measured by another clock. One that shrank while the round trip did not was so too, or the way is another.
   */
  #stepOf(oneWay: number, roundTrip: number, now: number): number {
    const [least, leastRoundTrip] = [this.#oneWays.least, this.#roundTrips.least];
    if (least === Number.POSITIVE_INFINITY) return 0;
    const longer = oneWay - least;
    const unseen = longer - (roundTrip - leastRoundTrip);
    if (longer < -CLOCK_STEP && unseen < longer / 2) return longer;
    return unseen > (now - this.#steppedAt < STEP_SETTLES ? REST_OF_STEP : CLOCK_STEP) ? unseen : 0;
  }

  #shift(by: number, now: number): void {
    this.#steps += 1;
    this.#steppedAt = now;
    if (this.#before !== undefined) this.#before += by;
    this.#oneWays.shift(by);
  }
}

/** The least of the values of the last minute. */
class LeastOfAMinute {
  readonly #slots = new Float64Array(SLOTS).fill(Number.POSITIVE_INFINITY);
  #slot = Number.NEGATIVE_INFINITY;
  /** Infinity before the first. */
  least = Number.POSITIVE_INFINITY;

  /** Returns the least with this one. */
  remember(value: number, now: number): number {
    const slots = this.#slots;
    const slot = Math.floor(now / SLOT);
    if (slot > this.#slot) {
      const cleared = Math.min(SLOTS, slot - this.#slot);
      for (let each = slot - cleared + 1; each <= slot; each += 1)
        slots[((each % SLOTS) + SLOTS) % SLOTS] = Number.POSITIVE_INFINITY;
      this.#slot = slot;
    }
    const at = ((slot % SLOTS) + SLOTS) % SLOTS;
    if (value < (slots[at] as number)) slots[at] = value;
    let least = Number.POSITIVE_INFINITY;
    for (const one of slots) if (one < least) least = one;
    this.least = least;
    return least;
  }

  shift(by: number): void {
    for (let slot = 0; slot < SLOTS; slot += 1) this.#slots[slot] = (this.#slots[slot] as number) + by;
    this.least += by;
  }
}
