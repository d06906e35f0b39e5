/** What one report of feedback says of a hop. */
export interface HopReport {
  readonly now: number;
  /** Milliseconds in queues. */
  readonly queueDelay: number;
  /** Milliseconds, smoothed. */
  readonly roundTrip: number;
  /** Share of packets lost lately, 0 to 1. */
  readonly lossShare: number;
  /** Bits a second that arrive. */
  readonly received: number;
  /** What is offered is less than what may be sent. */
  readonly isLimited: boolean;
}

/** How much may be sent: NADA (RFC 8698), see docs/congestion.md. */
export class RateControl {
  readonly #least: number;
  readonly #most: number;
  #rate: number;
  #at: number | undefined;
  #signal = 0;
  /** When there was last a queue or a loss. */
  #troubleAt: number;

  constructor(
    bitrate: { readonly least: number; readonly most: number; readonly first: number },
    start: number,
  ) {
    this.#least = bitrate.least;
    this.#most = bitrate.most;
    this.#rate = bitrate.first;
    this.#troubleAt = start - LOG_WINDOW;
  }

  get bitsPerSecond(): number {
    return this.#rate;
  }

  report(report: HopReport): void {
    const { now, queueDelay, roundTrip, lossShare, received, isLimited } = report;
    const elapsed = Math.min(MAX_INTERVAL, now - (this.#at ?? now));
    this.#at = now;
    const signal = queueDelay + LOSS_PENALTY * Math.min(1, lossShare / LOSS_REFERENCE) ** 2;
    if (queueDelay > QUEUE_EPSILON || lossShare > 0) this.#troubleAt = now;
    let rate = this.#rate;
    if (now - this.#troubleAt >= LOG_WINDOW) {
      const share = Math.min(MOST_INCREASE, QUEUE_BOUND / (roundTrip + INTERVAL + FILTER_DELAY));
      if (!isLimited) rate = Math.max(rate, (1 + share) * received);
    } else {
      const offset = signal - (REFERENCE_DELAY * this.#most) / rate;
      const change =
        -SCALE * (elapsed / TAU) * (offset / TAU) * rate -
        SCALE * ETA * ((signal - this.#signal) / TAU) * rate;
      if (change < 0 || !isLimited) rate += change;
    }
    this.#signal = signal;
    this.#rate = Math.min(this.#most, Math.max(this.#least, rate));
  }

  /** Nothing was heard for long: the lowest rate, until there is feedback again. */
  silence(): void {
    this.#rate = this.#least;
  }
}

/** Milliseconds without queue and loss after which the rate rises fast; LOGWIN. */
const LOG_WINDOW = 500;
/** Milliseconds in queues that count as none; QEPS. */
const QUEUE_EPSILON = 10;
/** Milliseconds that rising fast may put into the queue; QBOUND. */
const QUEUE_BOUND = 50;
const MOST_INCREASE = 0.5;
const INTERVAL = 100;
const FILTER_DELAY = 120;
/** KAPPA, ETA, TAU, XREF. */
const SCALE = 0.5;
const ETA = 2;
const TAU = 500;
const REFERENCE_DELAY = 10;
/** DLOSS and PLRREF. */
const LOSS_PENALTY = 10;
const LOSS_REFERENCE = 0.01;
const MAX_INTERVAL = 500;
