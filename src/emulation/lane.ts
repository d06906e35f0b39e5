import type { Clock } from "../../codecs/clock.ts";
import type { Link } from "./link.ts";

/**
 * How far reliable pieces fill the queue before the bottleneck, milliseconds of its rate: what goes out by datagram waits no longer for
 * them, and a stream that is abandoned leaves little behind.
 */
const RELIABLE_AHEAD_MS = 40;

/** One direction of an emulated network: has things happen at its far end when its link says so. */
export class Lane {
  readonly link: Link;
  readonly #clock: Clock;
  /** The reliable pieces before have entered the link. */
  #entered: Promise<void> = Promise.resolve();

  constructor(link: Link, clock: Clock) {
    this.link = link;
    this.#clock = clock;
  }

  /** `deliver` runs when a datagram of so many bytes arrives; never, when it is lost. */
  datagram(bytes: number, deliver: () => void): void {
    const at = this.link.datagram(bytes, this.#clock.now());
    if (at !== undefined) this.#at(at, deliver);
  }

  /**
   * `deliver` runs when a piece of a reliable stream arrives, behind those of the same `order`. Resolves when the link took the piece: a
   * writer that awaits it goes at the pace of the network, in turns with the others.
   */
  async reliable(bytes: number, order: Order, deliver: () => void): Promise<void> {
    const before = this.#entered;
    const { promise: entered, resolve } = Promise.withResolvers<void>();
    this.#entered = entered;
    await before;
    for (;;) {
      const ahead = this.link.backlog(this.#clock.now()) - RELIABLE_AHEAD_MS;
      if (ahead <= 0) break;
      await new Promise<void>((wake) => this.#clock.at(this.#clock.now() + ahead, wake));
    }
    order.last = Math.max(order.last, this.link.reliable(bytes, this.#clock.now()));
    this.#at(order.last, deliver);
    resolve();
  }

  #at(at: number, deliver: () => void): void {
    const revised = this.link.revised(at);
    if (revised <= this.#clock.now()) deliver();
    else this.#clock.at(revised, () => this.#at(revised, deliver));
  }
}

/** What keeps its order on a lane: one stream. */
export interface Order {
  /** When its last piece so far arrives. */
  last: number;
}
