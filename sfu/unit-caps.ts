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

/** How many units wait or are on open streams on one connection, all flows together. */
export class UnitCaps {
  #open = 0;

  get open(): number {
    return this.#open;
  }

  get isFull(): boolean {
    return this.#open >= OPEN_UNITS_PER_CONNECTION;
  }

  take(): void {
    this.#open += 1;
  }

  release(): void {
    this.#open -= 1;
  }
}
