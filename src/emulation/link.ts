import type { LinkModel } from "../../transports/memory.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** One direction of a network path. */
export interface LinkConditions {
  /** One-way propagation, milliseconds. */
  readonly delay: number;
  /** Each packet's delay varies uniformly by plus or minus this many milliseconds. Default 0. */
  readonly jitter?: number;
  /** Mean fraction of packets lost, 0 to 1. Default 0. */
  readonly loss?: number;
  /** Mean length of a burst of losses, packets (Gilbert-Elliott, everything in the bad state is lost). Absent: each on its own. */
  readonly burst?: number;
  /** Bottleneck in bits a second. Absent: unlimited, and no queue. */
  readonly rate?: number;
  /** How much the queue before the bottleneck holds, in milliseconds of its rate; what does not fit is dropped. Default 300. */
  readonly queue?: number;
  /** Whether jitter may let packets overtake each other. Default false. */
  readonly reorder?: boolean;
}

/** The network presets of scenarios and benches; delays are one-way. */
export const PRESETS = {
  wifi: { delay: 5, jitter: 2, loss: 0.01, burst: 2 },
  "lossy-wifi": { delay: 15, jitter: 10, loss: 0.05, burst: 3 },
  cellular: { delay: 50, jitter: 15, loss: 0.02, burst: 3, rate: 30e6 },
  congested: { delay: 80, jitter: 40, loss: 0.1, burst: 3, rate: 10e6 },
  satellite: { delay: 600, jitter: 30, loss: 0.03, burst: 3 },
} as const satisfies Record<string, LinkConditions>;

/** What became of the packets offered. */
export interface LinkCounters {
  offered: number;
  /** Lost at random, after the bottleneck. */
  lost: number;
  /** Dropped because the queue was full. */
  overflowed: number;
}

/**
 * One direction of a network path in any time there is: it is told `now` and answers with arrival times. The same seed,
 * conditions and offers give the same fates.
 */
export class Link implements LinkModel {
  readonly counters: LinkCounters = { offered: 0, lost: 0, overflowed: 0 };
  #conditions: LinkConditions;
  readonly #random: SeededRandom;
  /** When the bottleneck has sent all it holds. */
  #free = Number.NEGATIVE_INFINITY;
  /** When the last reliable piece has left the bottleneck. */
  #reliableFree = Number.NEGATIVE_INFINITY;
  #lastArrival = Number.NEGATIVE_INFINITY;
  /** What has yet to leave the bottleneck: when it does, and when it arrives then. */
  #waiting: { readonly sent: number; readonly arrival: number }[] = [];
  /** Arrivals that were told, and what became of them as the rate changed. */
  #revised: ReadonlyMap<number, number> = new Map();
  #bad = false;
  #dark = { from: Number.POSITIVE_INFINITY, until: Number.POSITIVE_INFINITY };

  constructor(conditions: LinkConditions, random: SeededRandom) {
    this.#conditions = conditions;
    this.#random = random;
  }

  /** Milliseconds a packet offered at `now` would wait before the bottleneck. */
  backlog(now: number): number {
    return this.#conditions.rate === undefined ? 0 : Math.max(0, this.#free - now);
  }

  /** New conditions from `now` on. What waits before the bottleneck leaves it at the new rate, and `revised` tells when it then arrives. */
  change(conditions: LinkConditions, now: number): void {
    const { rate: before } = this.#conditions;
    const { rate } = conditions;
    this.#conditions = conditions;
    const stretch = before === undefined || rate === undefined ? 0 : before / rate;
    const leaves = (sent: number): number => (sent > now ? now + (sent - now) * stretch : sent);
    this.#free = leaves(this.#free);
    this.#reliableFree = leaves(this.#reliableFree);
    const revised = new Map<number, number>();
    this.#waiting = this.#waiting.flatMap(({ sent, arrival }) => {
      if (sent <= now) return [];
      const later = arrival + leaves(sent) - sent;
      revised.set(arrival, later);
      return [{ sent: leaves(sent), arrival: later }];
    });
    for (const [told, arrival] of this.#revised)
      if (arrival > now) revised.set(told, revised.get(arrival) ?? arrival);
    this.#lastArrival = revised.get(this.#lastArrival) ?? this.#lastArrival;
    this.#revised = revised;
  }

  revised(arrival: number): number {
    return Math.max(arrival, this.#revised.get(arrival) ?? arrival);
  }

  /** Nothing gets through from `from` until `until`, whatever the conditions are; `Infinity`: ever again. Replaces what was said before. */
  darken(from: number, until: number): void {
    this.#dark = { from, until };
  }

  datagram(bytes: number, now: number): number | undefined {
    this.counters.offered++;
    if (this.#isDark(now)) {
      this.counters.lost++;
      return undefined;
    }
    const { rate, queue = DEFAULT_QUEUE, reorder = false } = this.#conditions;
    let sent = now;
    if (rate !== undefined) {
      if (this.backlog(now) > queue) {
        this.counters.overflowed++;
        return undefined;
      }
      sent = Math.max(now, this.#free) + transmission(bytes, rate);
      this.#free = sent;
    }
    if (this.#isLost()) {
      this.counters.lost++;
      return undefined;
    }
    const arrival = sent + this.#propagation();
    if (reorder) return this.#told(sent, arrival, now);
    this.#lastArrival = Math.max(this.#lastArrival, arrival);
    return this.#told(sent, this.#lastArrival, now);
  }

  /**
   * Reliable pieces share the bottleneck. Their sender fills the queue and never overflows it; a lost piece comes a round trip
   * and a margin later, once for every loss; into the dark it is repeated after twice as long each time.
   */
  reliable(bytes: number, now: number): number {
    const { rate, queue = DEFAULT_QUEUE, delay, loss = 0 } = this.#conditions;
    let sent = now;
    if (this.#isDark(sent) && this.#dark.until === Number.POSITIVE_INFINITY) return this.#dark.until;
    for (let pause = 2 * delay + REPEAT_MARGIN; this.#isDark(sent); pause *= 2) sent += pause;
    if (sent > now) return sent + this.#propagation();
    if (rate !== undefined) {
      const time = transmission(bytes, rate);
      sent = Math.max(now, this.#free, this.#reliableFree) + time;
      this.#reliableFree = sent;
      this.#free = Math.max(this.#free, Math.min(Math.max(now, this.#free) + time, now + queue));
    }
    const left = sent;
    let isLost = this.#isLost();
    for (let attempt = 1; attempt < MAX_ATTEMPTS && isLost; attempt++) {
      sent += 2 * delay + REPEAT_MARGIN;
      // A round trip later the burst is over: a loss then is another one.
      isLost = this.#random.next() < loss;
    }
    return this.#told(left, sent + this.#propagation(), now);
  }

  /** Remembers what waits before the bottleneck. */
  #told(sent: number, arrival: number, now: number): number {
    if (sent <= now) return arrival;
    if ((this.#waiting[0]?.sent ?? now) <= now) this.#waiting = this.#waiting.filter((one) => one.sent > now);
    this.#waiting.push({ sent, arrival });
    return arrival;
  }

  #isDark(at: number): boolean {
    return at >= this.#dark.from && at < this.#dark.until;
  }

  #propagation(): number {
    const { delay, jitter = 0 } = this.#conditions;
    return Math.max(0, delay + jitter * (2 * this.#random.next() - 1));
  }

  /** Gilbert (1960) and Elliott (1963): a good and a bad state, stepped once a packet. */
  #isLost(): boolean {
    const { loss = 0, burst } = this.#conditions;
    const draw = this.#random.next();
    if (burst === undefined) return draw < loss;
    const toGood = 1 / burst;
    const toBad = loss >= 1 ? 1 : (loss * toGood) / (1 - loss);
    this.#bad = this.#bad ? loss >= 1 || draw >= toGood : draw < toBad;
    return this.#bad;
  }
}

function transmission(bytes: number, rate: number): number {
  return ((bytes + OVERHEAD_BYTES) * 8000) / rate;
}

/** Milliseconds of its rate that a queue holds unless told otherwise (RFC 8867, section 5). */
const DEFAULT_QUEUE = 300;
/** IPv4, UDP and QUIC around each payload; it takes capacity too. */
const OVERHEAD_BYTES = 60;
/** After so many losses in a row a reliable piece goes through: a link with total loss must not stop virtual time. */
const MAX_ATTEMPTS = 50;
/** Milliseconds a sender waits beyond the round trip before it repeats (RFC 9002, section 6.2: max_ack_delay). */
const REPEAT_MARGIN = 25;
