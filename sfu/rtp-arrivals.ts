import { RtpSequence } from "./rtp-sequence.ts";

/** A packet that came and waits for its turn. */
export interface RtpArrival {
  /** Goes on where the 16 bits of its number wrap, and never comes again. */
  readonly place: number;
  /** When it came, milliseconds of any one clock. */
  readonly arrivedAt: number;
}

/** Where a packet belongs that has just come. */
export interface ArrivalSpot {
  readonly place: number;
  /** Its index among those that wait. */
  readonly index: number;
  /** Its sender began anew: what waited of before is gone. */
  readonly isRestart: boolean;
}

export interface RtpArrivalCounters {
  /** Distinct packets that came. */
  readonly received: number;
  readonly duplicate: number;
  /** Came after the turn of their place was over. */
  readonly late: number;
  /** Of numbers far from all others. */
  readonly stray: number;
  /** Times at which the sender began anew. */
  readonly restarts: number;
}

/**
 * The packets of one source that wait for their turn, in the order of their sequence numbers, each once. How many may wait, and for how long, is for
 * whoever takes them out.
 */
export class RtpArrivals<Arrival extends RtpArrival> {
  readonly #sequence = new RtpSequence();
  readonly #waiting: Arrival[] = [];
  #passed: number | undefined;
  readonly #counters = { received: 0, duplicate: 0, late: 0, stray: 0, restarts: 0 };

  /** Those that wait, ascending in place. */
  get waiting(): readonly Arrival[] {
    return this.#waiting;
  }

  /** What belongs before this place is late; `undefined`: nothing was taken yet, or nothing since the sender began anew. */
  get passed(): number | undefined {
    return this.#passed;
  }

  /** Counts on. */
  get counters(): RtpArrivalCounters {
    return this.#counters;
  }

  /** Where the packet of that number belongs; `undefined`, and counted by reason, where it came before, comes too late, or is far from all others. */
  place(sequence: number): ArrivalSpot | undefined {
    const placed = this.#sequence.place(sequence);
    if (placed === undefined) return this.#refuse("stray");
    const { place, isRestart } = placed;
    if (isRestart) {
      this.#counters.restarts += 1;
      this.#waiting.length = 0;
      this.#passed = undefined;
    }
    if (this.#passed !== undefined && place < this.#passed) return this.#refuse("late");
    const index = this.#waiting.findLastIndex((one) => one.place < place) + 1;
    if (this.#waiting[index]?.place === place) return this.#refuse("duplicate");
    this.#counters.received += 1;
    return { place, index, isRestart };
  }

  /** Has it wait there, before the next one is placed. */
  put({ index }: ArrivalSpot, arrival: Arrival): void {
    this.#waiting.splice(index, 0, arrival);
  }

  /** The first so many of those that wait; what belongs before or between them is late from now on. */
  take(count: number): Arrival[] {
    const taken = this.#waiting.splice(0, count);
    const last = taken.at(-1);
    if (last !== undefined) this.#passed = last.place + 1;
    return taken;
  }

  /** What belongs before `place` is late from now on: the first that waits has it, or a later one. */
  passTo(place: number): void {
    this.#passed = place;
  }

  /** When the earliest of those that wait came, the first `from` of them left out. */
  earliest(from = 0): number {
    return this.#waiting
      .slice(from)
      .reduce((least, { arrivedAt }) => Math.min(least, arrivedAt), Number.POSITIVE_INFINITY);
  }

  #refuse(reason: "stray" | "late" | "duplicate"): undefined {
    this.#counters[reason] += 1;
  }
}
