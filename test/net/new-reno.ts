import type { Bottleneck } from "./bottleneck.ts";
import type { Simulation } from "./simulation.ts";

/** Bytes of a segment's content, and of a whole packet on the wire (RFC 8867 wants the usual 1,500). */
const SEGMENT = 1_448;
const PACKET = 1_500;
/** RFC 6928. */
const FIRST_WINDOW = 10;
/** Milliseconds; RFC 6298 has 1,000, stacks in use have 200. */
const LEAST_TIMEOUT = 200;
const FIRST_TIMEOUT = 1_000;

/**
 * A TCP connection that downloads files, with the congestion control of NewReno (RFC 6582): slow start, congestion
 * avoidance, fast retransmit and recovery, retransmission timeout. Each segment is acknowledged at once; acknowledgments are not lost.
 */
export class NewReno {
  readonly #simulation: Simulation;
  readonly #bottleneck: Bottleneck;
  readonly #delay: number;
  readonly #delivered: (bytes: number, now: number) => void;
  #segments = 0;
  #done: (now: number) => void = () => undefined;
  #window = FIRST_WINDOW;
  #threshold = Number.POSITIVE_INFINITY;
  /** First segment that was not acknowledged, and first that was never sent. */
  #unacknowledged = 0;
  #next = 0;
  /** Segments ever sent. */
  #sent = 0;
  #duplicates = 0;
  /** Recovery lasts until this one is acknowledged. */
  #recover = -1;
  #isRecovering = false;
  #isFirstPartial = false;
  #roundTrip: number | undefined;
  #variation = 0;
  #timeout = FIRST_TIMEOUT;
  #timer = 0;
  readonly #sentAt = new Map<number, number>();
  /** At the receiver: the first segment that is missing, and those beyond it that came. */
  #expected = 0;
  readonly #early = new Set<number>();

  /** `delay` is one way, without the bottleneck. */
  constructor(
    simulation: Simulation,
    options: {
      readonly bottleneck: Bottleneck;
      readonly delay: number;
      readonly delivered: (bytes: number, now: number) => void;
    },
  ) {
    this.#simulation = simulation;
    this.#bottleneck = options.bottleneck;
    this.#delay = options.delay;
    this.#delivered = options.delivered;
  }

  /** Downloads a file over a fresh connection; the one before has ended. `done` hears when all of it arrived. */
  download(bytes: number, done: (now: number) => void = () => undefined): void {
    this.#segments = Math.ceil(bytes / SEGMENT);
    this.#done = done;
    this.#window = FIRST_WINDOW;
    this.#threshold = Number.POSITIVE_INFINITY;
    this.#unacknowledged = 0;
    this.#next = 0;
    this.#sent = 0;
    this.#duplicates = 0;
    this.#recover = -1;
    this.#isRecovering = false;
    this.#timeout = FIRST_TIMEOUT;
    this.#roundTrip = undefined;
    this.#sentAt.clear();
    this.#expected = 0;
    this.#early.clear();
    this.#sendMore();
  }

  /** Sends nothing more. */
  stop(): void {
    this.#segments = 0;
    this.#timer += 1;
  }

  #sendMore(): void {
    while (this.#next < this.#segments && this.#next - this.#unacknowledged < Math.floor(this.#window)) {
      this.#sentAt.set(this.#next, this.#simulation.now);
      this.#send(this.#next);
      this.#next += 1;
    }
  }

  #send(segment: number): void {
    if (segment === this.#unacknowledged && !this.#isRecovering) this.#startTimer();
    this.#sent = Math.max(this.#sent, segment + 1);
    this.#bottleneck.offer({
      bytes: PACKET,
      passed: () =>
        this.#simulation.at(this.#simulation.now + this.#delay, (now) => this.#arrive(segment, now)),
      dropped: () => undefined,
    });
  }

  #arrive(segment: number, now: number): void {
    if (segment >= this.#segments) return;
    this.#delivered(PACKET, now);
    if (segment >= this.#expected) this.#early.add(segment);
    while (this.#early.delete(this.#expected)) this.#expected += 1;
    const expected = this.#expected;
    const isDone = expected === this.#segments;
    this.#simulation.at(now + this.#delay, (then) => this.#acknowledge(expected, then));
    if (isDone) {
      const done = this.#done;
      this.#done = () => undefined;
      this.#simulation.at(now + 2 * this.#delay, done);
    }
  }

  #acknowledge(expected: number, now: number): void {
    if (expected > this.#sent || expected < this.#unacknowledged) return;
    // After a timeout everything is sent again, though the receiver may have some of it.
    if (expected > this.#next) this.#next = expected;
    if (expected === this.#unacknowledged) this.#duplicate();
    else this.#advance(expected, now);
    this.#sendMore();
  }

  #duplicate(): void {
    if (this.#next === this.#unacknowledged) return;
    this.#duplicates += 1;
    if (this.#isRecovering) this.#window += 1;
    else if (this.#duplicates === 3 && this.#unacknowledged > this.#recover) {
      this.#threshold = Math.max(2, (this.#next - this.#unacknowledged) / 2);
      this.#recover = this.#next - 1;
      this.#isRecovering = true;
      this.#isFirstPartial = true;
      this.#window = this.#threshold + 3;
      this.#sentAt.delete(this.#unacknowledged);
      this.#startTimer();
      this.#send(this.#unacknowledged);
    }
  }

  #advance(expected: number, now: number): void {
    const sentAt = this.#sentAt.get(expected - 1);
    if (sentAt !== undefined && !this.#isRecovering) this.#measure(now - sentAt);
    const acknowledged = expected - this.#unacknowledged;
    for (let segment = this.#unacknowledged; segment < expected; segment += 1) this.#sentAt.delete(segment);
    this.#unacknowledged = expected;
    this.#duplicates = 0;
    if (this.#isRecovering) {
      if (expected > this.#recover) {
        this.#isRecovering = false;
        this.#window = this.#threshold;
      } else {
        // A partial acknowledgment: the next hole is lost as well (RFC 6582, section 3.2).
        this.#window = Math.max(1, this.#window - acknowledged + 1);
        this.#send(expected);
        // The impatient variant (section 4): with many holes it times out rather than mending one each round trip.
        if (!this.#isFirstPartial) return;
        this.#isFirstPartial = false;
      }
    } else if (this.#window < this.#threshold) this.#window += 1;
    else this.#window += 1 / this.#window;
    if (this.#unacknowledged < this.#next) this.#startTimer();
    else this.#timer += 1;
  }

  /** RFC 6298. */
  #measure(sample: number): void {
    if (this.#roundTrip === undefined) {
      this.#roundTrip = sample;
      this.#variation = sample / 2;
    } else {
      this.#variation += (Math.abs(sample - this.#roundTrip) - this.#variation) / 4;
      this.#roundTrip += (sample - this.#roundTrip) / 8;
    }
    this.#timeout = Math.max(LEAST_TIMEOUT, this.#roundTrip + 4 * this.#variation);
  }

  #startTimer(): void {
    this.#timer += 1;
    const mine = this.#timer;
    this.#simulation.at(this.#simulation.now + this.#timeout, () => {
      if (this.#timer === mine && this.#unacknowledged < this.#next) this.#expire();
    });
  }

  #expire(): void {
    this.#threshold = Math.max(2, (this.#next - this.#unacknowledged) / 2);
    this.#window = 1;
    this.#timeout = Math.min(60_000, 2 * this.#timeout);
    this.#recover = this.#next - 1;
    this.#isRecovering = false;
    this.#duplicates = 0;
    this.#next = this.#unacknowledged;
    this.#sentAt.clear();
    this.#sendMore();
    this.#sentAt.clear();
  }
}
