/**
 * Notices a sender that fills the queue whatever we do, as TCP does: the queue stays longer than we want it for seconds, though
 * we give way. Then to give way further would be to give up, and the rate goes by losses for a while.
 */
export class Competition {
  /** Since when the queue has been too long, and the rate there was then. */
  #since: number;
  #rateBefore = 0;
  #peak = 0;
  #until = Number.NEGATIVE_INFINITY;
  #cutAt = Number.NEGATIVE_INFINITY;

  constructor(start: number) {
    this.#since = start;
  }

  isOn(now: number): boolean {
    return now < this.#until;
  }

  /**
   * Takes a report, and how long the queue should be at this rate. Returns the rate to go on with where competition was
   * noticed just now.
   */
  watch(
    {
      now,
      queueDelay,
      roundTrip,
    }: { readonly now: number; readonly queueDelay: number; readonly roundTrip: number },
    wanted: number,
    rate: number,
  ): number | undefined {
    if (queueDelay > this.#peak) this.#peak = queueDelay;
    if (queueDelay < wanted + PRESSURE || queueDelay < this.#peak * YIELDED) {
      this.#since = now;
      this.#rateBefore = rate;
      this.#peak = queueDelay;
      if (queueDelay < EMPTIED) this.#until = Number.NEGATIVE_INFINITY;
      return undefined;
    }
    if (now - this.#since <= Math.max(UNYIELDING, UNYIELDING_ROUND_TRIPS * roundTrip) || this.isOn(now))
      return undefined;
    this.#until = now + LASTS;
    // It is judged anew from the beginning afterwards.
    this.#since = this.#until;
    return Math.max(rate, this.#rateBefore * RESTORED);
  }

  /** The rate while competition is on: up steadily, and down by a part with losses, once a round trip. */
  rate(
    rate: number,
    report: {
      readonly now: number;
      readonly lossCount: number;
      readonly roundTrip: number;
      readonly isLimited: boolean;
    },
    elapsed: number,
  ): number {
    if (report.lossCount === 0) return report.isLimited ? rate : rate + (INCREASE * elapsed) / 1_000;
    if (report.now - this.#cutAt <= report.roundTrip) return rate;
    this.#cutAt = report.now;
    return rate * BACK_OFF;
  }
}

/** Milliseconds by which the queue must be longer than wanted. */
const PRESSURE = 15;
/** Where the queue went down to this share of its peak, it yields. */
const YIELDED = 0.6;
/** Milliseconds after which a queue that does not yield is somebody else's. */
const UNYIELDING = 4_000;
/** The same, at least so many round trips. */
const UNYIELDING_ROUND_TRIPS = 8;
/** Milliseconds of queue at which competition is over. */
const EMPTIED = 20;
/** Milliseconds that competition goes on at most until it is judged anew: the queue may have been our own after all. */
const LASTS = 10_000;
/** Share of the rate before the queue rose that is taken up again. */
const RESTORED = 0.5;
/** Bits a second, each second: what a TCP connection with a round trip of 350 ms does. */
const INCREASE = 100_000;
const BACK_OFF = 0.8;
