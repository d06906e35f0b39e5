import { type RtpArrival, type RtpArrivalCounters, RtpArrivals } from "./rtp-arrivals.ts";

/** Packets that wait for one before them, at most: more than a second of a voice. The oldest goes on without what it waits for. */
export const MAX_WAITING_PACKETS = 64;
/** So long one that is missing is waited for, ms: as long as packets overtake each other, or one is sent again on a short way. */
export const MISSING_PACKET_MS = 60;

/** A packet whose turn it is. */
export interface OrderedPacket<Packet> {
  readonly packet: Packet;
  /** Packets before it that did not come. */
  readonly missing: number;
  /** When it came. */
  readonly arrivedAt: number;
}

export interface RtpOrderCounters extends RtpArrivalCounters {
  /** Given up. */
  readonly missing: number;
}

interface WaitingPacket<Packet> extends RtpArrival {
  readonly packet: Packet;
}

/**
 * Puts the packets of one source of which each stands for itself, a voice's, in order. Drive it by calling `next` after each `insert` and at `nextTimeout`
 * until it returns `undefined`; times are milliseconds of any one clock.
 */
export class RtpOrder<Packet extends { readonly sequence: number }> {
  readonly #arrivals = new RtpArrivals<WaitingPacket<Packet>>();
  readonly #wait: number;
  #missing = 0;

  constructor(wait: number = MISSING_PACKET_MS) {
    this.#wait = wait;
  }

  /** Takes a packet, which is its own from now on. */
  insert(packet: Packet, now: number): void {
    const spot = this.#arrivals.place(packet.sequence);
    if (spot !== undefined) this.#arrivals.put(spot, { place: spot.place, packet, arrivedAt: now });
  }

  /** The next packet, where its turn has come. */
  next(now: number): OrderedPacket<Packet> | undefined {
    const { passed, waiting } = this.#arrivals;
    const [first] = waiting;
    if (first === undefined) return undefined;
    const missing = passed === undefined ? 0 : first.place - passed;
    const isOver =
      missing === 0 || waiting.length > MAX_WAITING_PACKETS || now >= this.#arrivals.earliest() + this.#wait;
    if (!isOver) return undefined;
    this.#arrivals.take(1);
    this.#missing += missing;
    return { packet: first.packet, missing, arrivedAt: first.arrivedAt };
  }

  /** When `next` may have something though nothing more came. */
  nextTimeout(): number | undefined {
    return this.#arrivals.waiting.length === 0 ? undefined : this.#arrivals.earliest() + this.#wait;
  }

  get counters(): RtpOrderCounters {
    return { ...this.#arrivals.counters, missing: this.#missing };
  }
}
