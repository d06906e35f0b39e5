import type { DatagramDrops } from "../../sfu/carrier.ts";

/** Milliseconds a datagram may wait; then it is dropped as `late`. */
export const MAX_DATAGRAM_WAIT_MS = 200;
/** Datagrams that may wait; the oldest of more is dropped as `full`. */
export const MAX_WAITING_DATAGRAMS = 256;

/** Datagrams that wait for room on the way, dropped oldest first. */
export class DatagramQueue {
  readonly drops: DatagramDrops = { late: 0, full: 0 };
  readonly #waiting: { readonly message: Uint8Array; readonly since: number }[] = [];

  /** Takes a message that nobody else writes to. */
  add(message: Uint8Array, now: number): void {
    this.#dropLate(now);
    if (this.#waiting.length >= MAX_WAITING_DATAGRAMS) {
      this.#waiting.shift();
      this.drops.full++;
    }
    this.#waiting.push({ message, since: now });
  }

  /** The oldest that is not too old. */
  next(now: number): Uint8Array | undefined {
    this.#dropLate(now);
    return this.#waiting.shift()?.message;
  }

  /** Whether any waits. */
  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  #dropLate(now: number): void {
    while (this.#waiting[0] !== undefined && now - this.#waiting[0].since > MAX_DATAGRAM_WAIT_MS) {
      this.#waiting.shift();
      this.drops.late++;
    }
  }
}
