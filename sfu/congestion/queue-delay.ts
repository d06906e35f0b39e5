/** Milliseconds that one slot of the memory for the least delay covers. */
const SLOT = 5_000;
/** Slots: what was the least delay so long ago no longer counts, for paths change and clocks drift. */
const SLOTS = 12;
/** A change of the one-way delay beyond this, milliseconds, that the round trip does not show is a step of the receiver's clock. */
const CLOCK_STEP = 100;

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
  readonly #slots = new Float64Array(SLOTS).fill(Number.POSITIVE_INFINITY);
  #slot = Number.NEGATIVE_INFINITY;
  #base = Number.POSITIVE_INFINITY;
  #least = Number.POSITIVE_INFINITY;
  #leastRoundTrip = Number.POSITIVE_INFINITY;
  #oneWay: number | undefined;
  #roundTrip = Number.NaN;
  #steps = 0;
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
    if (this.#oneWay !== undefined) {
      const change = oneWay - this.#oneWay;
      const unseen = change - (roundTrip - this.#roundTrip);
      if (Math.abs(change) > CLOCK_STEP && Math.abs(unseen) > Math.abs(change) / 2) this.#shift(unseen);
    }
    this.#oneWay = oneWay;
    this.#roundTrip = roundTrip;
    this.#remember(oneWay, now);
    if (oneWay <= this.#base + SAME) this.#confirmedAt = now;
    const delay = Math.max(0, Math.min(oneWay, this.#before ?? oneWay) - this.#base);
    this.#before = oneWay;
    return { delay, roundTrip, confirmedAt: this.#confirmedAt };
  }

  #remember(oneWay: number, now: number): void {
    const slot = Math.floor(now / SLOT);
    if (slot > this.#slot) {
      const cleared = Math.min(SLOTS, slot - this.#slot);
      for (let each = slot - cleared + 1; each <= slot; each += 1)
        this.#slots[((each % SLOTS) + SLOTS) % SLOTS] = Number.POSITIVE_INFINITY;
      this.#slot = slot;
    }
    const at = ((slot % SLOTS) + SLOTS) % SLOTS;
    if (oneWay < (this.#slots[at] as number)) this.#slots[at] = oneWay;
    this.#base = Number.POSITIVE_INFINITY;
    for (const least of this.#slots) if (least < this.#base) this.#base = least;
  }

  #shift(by: number): void {
    this.#steps += 1;
    if (this.#before !== undefined) this.#before += by;
    for (let slot = 0; slot < SLOTS; slot += 1) this.#slots[slot] = (this.#slots[slot] as number) + by;
  }
}
