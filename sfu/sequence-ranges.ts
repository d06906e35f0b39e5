import type { SequenceRange } from "../codecs/receipt.ts";

/** Ranges held at most. A number that would need one more is not taken in. */
export const MAX_SEQUENCE_RANGES = 4096;

/** A set of sequence numbers as sorted ranges that neither overlap nor touch. Cheap where numbers come nearly in order. */
export class SequenceRanges {
  readonly #ranges: { first: number; last: number }[] = [];

  get size(): number {
    return this.#ranges.length;
  }

  /** Adds one number; adding it again changes nothing. False when {@link MAX_SEQUENCE_RANGES} kept it out. */
  add(sequence: number): boolean {
    const ranges = this.#ranges;
    let at = ranges.length;
    while (at > 0 && (ranges[at - 1]?.first ?? 0) > sequence) at--;
    const before = ranges[at - 1];
    const after = ranges[at];
    if (before !== undefined && sequence <= before.last) return true;
    const joinsBefore = before !== undefined && sequence === before.last + 1;
    const joinsAfter = after !== undefined && sequence === after.first - 1;
    if (joinsBefore && joinsAfter) {
      before.last = after.last;
      ranges.splice(at, 1);
    } else if (joinsBefore) {
      before.last = sequence;
    } else if (joinsAfter) {
      after.first = sequence;
    } else {
      if (ranges.length >= MAX_SEQUENCE_RANGES) return false;
      ranges.splice(at, 0, { first: sequence, last: sequence });
    }
    return true;
  }

  /** Removes and returns the lowest ranges, at most `limit` of them. */
  take(limit: number): SequenceRange[] {
    return this.#ranges.splice(0, limit);
  }
}
