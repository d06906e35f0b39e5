import { PACKET_OVERHEAD } from "./congestion/hop-packet.ts";

/** What a listener makes of how a voice comes. */
export interface ArrivalEstimate {
  /** Bits a second that it believes that it can be sent, with what is around each packet. */
  readonly bitsPerSecond: number;
  /** Milliseconds that packets waited on the way, beyond the least that they took lately. */
  readonly queueDelay: number;
  /** Share that did not come, 0 to 1. */
  readonly loss: number;
}

/** Milliseconds that a look is over, and packets that it takes at least: a voice that pauses says nothing of its way. */
const LOOK_MS = 1_000;
const LEAST_PACKETS = 10;
/** What says that no more can be sent: share lost, milliseconds waited. */
const FULL_LOSS = 0.05;
const FULL_WAIT_MS = 60;
/** Looks over which the least time on the way is known: paths change. */
const LEAST_LOOKS = 30;

/**
 * Estimates at the listening end what the way takes: at least what came, and no more while packets are lost or wait longer and longer. Needs no clock of
 * the speaker's, only that it goes on evenly. Times are milliseconds of any one clock.
 */
export class ArrivalEstimator {
  /** Least times on the way of the last looks, each with the unknown difference of the clocks in it. */
  readonly #leasts: number[] = [];
  #from: number | undefined;
  #bytes = 0;
  #packets = 0;
  #least = Number.POSITIVE_INFINITY;
  #first: number | undefined;
  #last: number | undefined;
  #estimate: number | undefined;

  /** A packet came: its bytes, its 48-bit sequence number and when it was captured by the speaker's clock. */
  arrived(bytes: number, sequence: number, captureMs: number, now: number): void {
    this.#from ??= now;
    this.#bytes += bytes + PACKET_OVERHEAD;
    this.#packets += 1;
    this.#least = Math.min(this.#least, now - captureMs);
    this.#first = Math.min(this.#first ?? sequence, sequence);
    this.#last = Math.max(this.#last ?? sequence, sequence);
  }

  /** What is made of it, once a second at most; `undefined` where it is not time, or too little came. */
  look(now: number): ArrivalEstimate | undefined {
    const passed = now - (this.#from ?? now);
    if (passed < LOOK_MS) return undefined;
    const packets = this.#packets;
    const rate = (this.#bytes * 8_000) / passed;
    const expected = (this.#last ?? 0) - (this.#first ?? 0) + 1;
    const [least, known] = [this.#least, Math.min(...this.#leasts, this.#least)];
    this.#begin();
    if (packets < LEAST_PACKETS) return undefined;
    this.#leasts.push(least);
    if (this.#leasts.length > LEAST_LOOKS) this.#leasts.shift();
    const loss = Math.max(0, 1 - packets / expected);
    const queueDelay = Math.round(least - known);
    const isFull = loss >= FULL_LOSS || queueDelay >= FULL_WAIT_MS;
    this.#estimate = isFull ? Math.min(this.#estimate ?? rate, rate) : Math.max(this.#estimate ?? rate, rate);
    return { bitsPerSecond: Math.round(this.#estimate), queueDelay, loss: Math.round(loss * 1_000) / 1_000 };
  }

  /** Another way: what was known of the one before does not hold. */
  restart(): void {
    this.#begin();
    this.#leasts.length = 0;
    this.#estimate = undefined;
  }

  #begin(): void {
    this.#from = undefined;
    this.#bytes = 0;
    this.#packets = 0;
    this.#least = Number.POSITIVE_INFINITY;
    this.#first = undefined;
    this.#last = undefined;
  }
}
