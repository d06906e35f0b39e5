/** Units that wait for others before they can be decoded, at most; the oldest goes, counted as `overflow`. */
export const MAX_WAITING_UNITS = 256;
/** And their bytes. */
export const MAX_WAITING_BYTES = 8_388_608;
/** One that can be decoded waits so long for those before it: units overtake each other, since each has a stream of its own, ms. */
export const OVERTAKING_MS = 40;
/** Where nothing that waits can be decoded for so long, what they need is taken for lost, ms. */
export const LOST_AFTER_MS = 250;
/** Units remembered as given out; none can need one further back. */
const REMEMBERED = 256;

/** What the order of units goes by. */
export interface OrderedUnit {
  /** 48 bits, one more with each unit. */
  readonly sequence: number;
  /** Decodes alone. */
  readonly key: boolean;
  /** Temporal layer; a unit needs none of a higher one. */
  readonly layer: number;
  /** How many before it the newest unit is that it needs; 0: the one before it, as far as anybody knows. */
  readonly needs: number;
  readonly bytes: number;
}

export interface UnitOrderCounters {
  /** Distinct units that came. */
  readonly received: number;
  /** Given out to be decoded. */
  readonly given: number;
  /** Came after later ones had been given out. */
  readonly late: number;
  readonly duplicate: number;
  /** Came, and could not be decoded: something that they need did not. */
  readonly undecodable: number;
  readonly overflow: number;
}

/**
 * Gives the units of one video stream out in their order, and none that cannot be decoded: what a unit needs was given out before it. A unit
 * whose predecessors are missing waits a moment for them. Drive it by calling `next` after each `insert` and at `nextTimeout` until it returns `undefined`.
 */
export class UnitOrder<Unit extends OrderedUnit> {
  /** Ascending in sequence. */
  #waiting: { readonly unit: Unit; readonly arrival: number }[] = [];
  #bytes = 0;
  /** Given out, since the last key frame. */
  #given: number[] = [];
  /** Everything up to here was given out or given up. */
  #passed = Number.NEGATIVE_INFINITY;
  /** Since when nothing can be decoded without another key frame. */
  #brokenSince: number | undefined;
  readonly #counters = { received: 0, given: 0, late: 0, duplicate: 0, undecodable: 0, overflow: 0 };

  /** Takes a verified unit. */
  insert(unit: Unit, now: number): "waiting" | "late" | "duplicate" {
    if (
      this.#given.includes(unit.sequence) ||
      this.#waiting.some((one) => one.unit.sequence === unit.sequence)
    ) {
      this.#counters.duplicate += 1;
      return "duplicate";
    }
    this.#counters.received += 1;
    if (unit.sequence <= this.#passed) {
      this.#counters.late += 1;
      return "late";
    }
    const at = this.#waiting.findLastIndex((one) => one.unit.sequence < unit.sequence) + 1;
    this.#waiting.splice(at, 0, { unit, arrival: now });
    this.#bytes += unit.bytes;
    while (
      this.#waiting.length > MAX_WAITING_UNITS ||
      (this.#bytes > MAX_WAITING_BYTES && this.#waiting.length > 1)
    ) {
      this.#pass(1, now, "overflow");
    }
    return "waiting";
  }

  /** The next unit that can be decoded, where its time has come. */
  next(now: number): Unit | undefined {
    const at = this.#firstDecodable();
    const found = this.#waiting[at];
    if (found === undefined) {
      const first = this.#waiting[0];
      if (first !== undefined && this.#isHopeless(first.unit)) {
        this.#pass(1, now, "undecodable");
        return this.next(now);
      }
      if (first !== undefined && now >= first.arrival + LOST_AFTER_MS) this.#brokenSince ??= now;
      return undefined;
    }
    const follows =
      at === 0 && (found.unit.sequence === this.#passed + 1 || this.#passed === Number.NEGATIVE_INFINITY);
    if (!follows && now < found.arrival + OVERTAKING_MS) return undefined;
    this.#pass(at, now, "undecodable");
    this.#waiting.shift();
    const { unit } = found;
    this.#bytes -= unit.bytes;
    this.#passed = unit.sequence;
    if (unit.key) this.#given = [];
    this.#given.push(unit.sequence);
    if (this.#given.length > REMEMBERED) this.#given.shift();
    if (unit.key || unit.layer === 0) this.#brokenSince = undefined;
    this.#counters.given += 1;
    return unit;
  }

  /** When `next` may have something, or a loss is certain, though nothing more came. */
  nextTimeout(): number | undefined {
    const found = this.#waiting[this.#firstDecodable()];
    if (found !== undefined) return found.arrival + OVERTAKING_MS;
    const first = this.#waiting[0];
    return first === undefined || this.#brokenSince !== undefined ? undefined : first.arrival + LOST_AFTER_MS;
  }

  /** Nothing that comes can be decoded until another key frame does. */
  get isBroken(): boolean {
    return this.#brokenSince !== undefined;
  }

  /** Units that wait. */
  get size(): number {
    return this.#waiting.length;
  }

  get counters(): UnitOrderCounters {
    return { ...this.#counters };
  }

  /** What waits is let go, and nothing is given out before another key frame: somebody else speaks, or the stream goes on after a pause. */
  restart(): void {
    this.#waiting = [];
    this.#bytes = 0;
    this.#given = [];
  }

  /** The same, and numbers begin anew. */
  forget(): void {
    this.restart();
    this.#passed = Number.NEGATIVE_INFINITY;
    this.#brokenSince = undefined;
  }

  #firstDecodable(): number {
    return this.#waiting.findIndex(({ unit }) => unit.key || this.#given.includes(neededBy(unit)));
  }

  /** What it needs was passed over. */
  #isHopeless(unit: Unit): boolean {
    return !unit.key && neededBy(unit) <= this.#passed;
  }

  #pass(count: number, now: number, reason: "undecodable" | "overflow"): void {
    for (const { unit } of this.#waiting.splice(0, count)) {
      this.#bytes -= unit.bytes;
      this.#passed = unit.sequence;
      this.#counters[reason] += 1;
      if (unit.layer === 0) this.#brokenSince ??= now;
    }
  }
}

function neededBy({ sequence, needs }: OrderedUnit): number {
  return sequence - (needs === 0 ? 1 : needs);
}
