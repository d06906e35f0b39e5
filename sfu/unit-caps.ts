/** Units of one flow that may wait or be on open streams at once. */
export const OPEN_UNITS_PER_FLOW = 16;
/** The same of all flows of a connection together. */
export const OPEN_UNITS_PER_CONNECTION = 64;
/** Bytes of the units of one flow that wait or are on open streams, unless it is one alone. */
export const UNIT_BYTES_PER_FLOW = 4 * 1024 * 1024;
/** A delta unit of a flow of which nothing moved for so long is reset, ms. */
export const DELTA_STALL_MS = 400;
/** The same for a key frame. */
export const KEY_STALL_MS = 3_000;
/** Past this age no unit is worth sending, whatever moves, ms. */
export const MAX_UNIT_AGE_MS = 4_000;

/** Who has units that wait or are on open streams. */
export interface UnitHolder {
  /** Whose units they are: those of one call have their part of the connection together. */
  readonly call: unknown;
  /** How many. */
  readonly pending: number;
  /** Lets the oldest delta of the highest layer go, with everything that needs it, or to a key frame, where there is none, the oldest of these; false where nothing goes. */
  giveWay(isToKey: boolean): boolean;
}

/**
 * How many units wait or are on open streams on one connection, all flows together. Where it is full, the call that has most gives way to one that
 * has less, and of the flows of a call the one that has most: none of them can keep all to itself.
 */
export class UnitCaps {
  /** Those that have any. */
  readonly #holders = new Set<UnitHolder>();
  #open = 0;

  get open(): number {
    return this.#open;
  }

  get isFull(): boolean {
    return this.#open >= OPEN_UNITS_PER_CONNECTION;
  }

  /** A holder has one more. */
  take(holder: UnitHolder): void {
    this.#open += 1;
    this.#holders.add(holder);
  }

  /** It has one less. */
  release(holder: UnitHolder): void {
    this.#open -= 1;
    if (holder.pending === 0) this.#holders.delete(holder);
  }

  /** Has another one give way to a holder that has less; false where it is for the holder itself to do so. */
  makeRoom(holder: UnitHolder, isForKey: boolean): boolean {
    const calls = new Map<unknown, number>();
    for (const { call, pending } of this.#holders) calls.set(call, (calls.get(call) ?? 0) + pending);
    const mine = calls.get(holder.call) ?? 0;
    const more = (other: UnitHolder) =>
      other.call === holder.call ? other.pending > holder.pending : (calls.get(other.call) ?? 0) > mine;
    const most = [...this.#holders]
      .filter(more)
      .sort(
        (one, other) =>
          (calls.get(other.call) ?? 0) - (calls.get(one.call) ?? 0) || other.pending - one.pending,
      );
    return most.some((other) => other.giveWay(isForKey));
  }
}
