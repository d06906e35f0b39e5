import { RtpSequence } from "./rtp-sequence.ts";

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

export interface RtpOrderCounters {
  /** Distinct packets that came. */
  readonly received: number;
  readonly duplicate: number;
  /** Came after later ones had gone on. */
  readonly late: number;
  /** Of numbers far from all others. */
  readonly stray: number;
  /** Given up. */
  readonly missing: number;
  readonly restarts: number;
}

/**
 * Puts the packets of one source of which each stands for itself, a voice's, in order. Drive it by calling `next` after each `insert` and at `nextTimeout`
 * until it returns `undefined`; times are milliseconds of any one clock.
 */
export class RtpOrder<Packet extends { readonly sequence: number }> {
  readonly #sequence = new RtpSequence();
  readonly #wait: number;
  /** Ascending in place. */
  #waiting: { readonly place: number; readonly packet: Packet; readonly arrivedAt: number }[] = [];
  #next: number | undefined;
  readonly #counters = { received: 0, duplicate: 0, late: 0, stray: 0, missing: 0, restarts: 0 };

  constructor(wait: number = MISSING_PACKET_MS) {
    this.#wait = wait;
  }

  /** Takes a packet, which is its own from now on. */
  insert(packet: Packet, now: number): void {
    const placed = this.#sequence.place(packet.sequence);
    if (placed === undefined) {
      this.#counters.stray += 1;
      return;
    }
    const { place, isRestart } = placed;
    if (isRestart) {
      this.#counters.restarts += 1;
      this.#waiting = [];
      this.#next = undefined;
    }
    if (this.#next !== undefined && place < this.#next) {
      this.#counters.late += 1;
      return;
    }
    const at = this.#waiting.findLastIndex((one) => one.place < place) + 1;
    if (this.#waiting[at]?.place === place) {
      this.#counters.duplicate += 1;
      return;
    }
    this.#counters.received += 1;
    this.#waiting.splice(at, 0, { place, packet, arrivedAt: now });
  }

  /** The next packet, where its turn has come. */
  next(now: number): OrderedPacket<Packet> | undefined {
    const first = this.#waiting[0];
    if (first === undefined) return undefined;
    const missing = this.#next === undefined ? 0 : first.place - this.#next;
    const isOver =
      missing === 0 || this.#waiting.length > MAX_WAITING_PACKETS || now >= this.#since + this.#wait;
    if (!isOver) return undefined;
    this.#waiting.shift();
    this.#next = first.place + 1;
    this.#counters.missing += missing;
    return { packet: first.packet, missing, arrivedAt: first.arrivedAt };
  }

  /** When `next` may have something though nothing more came. */
  nextTimeout(): number | undefined {
    return this.#waiting.length === 0 ? undefined : this.#since + this.#wait;
  }

  get counters(): RtpOrderCounters {
    return { ...this.#counters };
  }

  /** Since when something is waited for. */
  get #since(): number {
    return this.#waiting.reduce(
      (least, { arrivedAt }) => Math.min(least, arrivedAt),
      Number.POSITIVE_INFINITY,
    );
  }
}
