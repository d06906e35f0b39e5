import { Competition } from "./competition.ts";

/** What one report of feedback says of a hop. */
export interface HopReport {
  readonly now: number;
  /** Milliseconds in queues. */
  readonly queueDelay: number;
  /** When packets last waited no longer than ever. */
  readonly confirmedAt: number;
  /** Milliseconds, smoothed. */
  readonly roundTrip: number;
  /** Share of packets lost lately, 0 to 1. */
  readonly lossShare: number;
  /** Packets that this report showed to be lost, of so many that it was the first to tell of. */
  readonly lossCount: number;
  readonly packetCount: number;
  /** Bits a second that arrive. */
  readonly received: number;
  /** What is offered is less than what may be sent: how much the path takes beyond it is not tried. */
  readonly isLimited: boolean;
  /** What arrives is no measure of what the path takes: little was offered, as by pictures, which give way by themselves. */
  readonly isSpared: boolean;
  /** What is offered follows the rate in steps, and less than it: as pictures do. */
  readonly isStepped: boolean;
}

/**
 * How much may be sent. In the manner of NADA (RFC 8698): every rate has a length of the queue at which it is content, the
 * less the higher it is, so that flows that see one queue come to equal rates. docs/congestion.md says where this departs from it and why.
 */
export class RateControl {
  readonly #least: number;
  #most: number;
  readonly #competition: Competition;
  #rate: number;
  /** As it was when it was last tried, or a queue last said that it is too much. */
  #found: number;
  #reportedAt: number | undefined;
  #signal = 0;
  #isStarting = true;
  #wasSilent = false;
  /** When there was last a queue, or losses. */
  #troubleAt: number;
  #congestedAt = Number.NEGATIVE_INFINITY;
  /** Share of losses while there is no queue. */
  #ownLoss = 0;
  #drainUntil = Number.NEGATIVE_INFINITY;
  #drainedAt: number;

  constructor(
    bitrate: { readonly least: number; readonly most: number; readonly first: number },
    start: number,
  ) {
    this.#least = bitrate.least;
    this.#most = bitrate.most;
    this.#rate = bitrate.first;
    this.#found = bitrate.first;
    this.#troubleAt = start;
    this.#drainedAt = start;
    this.#competition = new Competition(start);
  }

  /** Bits a second that the path takes. */
  get bitsPerSecond(): number {
    return Math.min(this.#rate, this.#most);
  }

  /** Little is sent so far, and no queue or silence has shown yet how much is too much. */
  get isBeginning(): boolean {
    return this.#isStarting && !this.#wasSilent && this.#rate < STEPPED_START;
  }

  /** Share of it that is to be sent at `now`: less while the queue is drained to see how short the way is. */
  share(now: number): number {
    return now < this.#drainUntil ? DRAIN_SHARE : 1;
  }

  /** No more than this from now on, and what was found out before where that is more again. */
  useMost(bitsPerSecond: number): void {
    this.#most = bitsPerSecond;
  }

  isCompeting(now: number): boolean {
    return this.#competition.isOn(now);
  }

  report(report: HopReport): void {
    const { now, queueDelay, isLimited } = report;
    const elapsed = Math.min(MAX_INTERVAL, now - (this.#reportedAt ?? now));
    this.#reportedAt = now;
    const signal = queueDelay + this.#lossPenalty(report);
    if (queueDelay > QUEUE_EPSILON || report.lossShare > LOSS_EPSILON) this.#troubleAt = now;
    const taken = this.#competition.watch(report, wantedDelay(this.#rate), this.#rate);
    if (taken !== undefined) {
      this.#isStarting = false;
      this.#rate = taken;
      this.#found = taken;
    }
    if (this.#isStarting) this.#start(report);
    else if (this.#competition.isOn(now)) this.#rate = this.#competition.rate(this.#rate, report, elapsed);
    else if (now - this.#troubleAt >= CALM) this.#accelerate(report);
    else if (now >= this.#drainUntil) this.#approach(report, signal, elapsed);
    // The next step of pictures is further from what arrives than what was found so.
    const isSlow = !this.#isStarting || this.#rate < STEPPED_START;
    if (report.isStepped && isSlow && !isLimited && now - this.#troubleAt >= STEPPED_CALM)
      this.#rate *= 1 + (STEPPED_INCREASE * elapsed) / 1_000;
    if (!isLimited && now - Math.max(report.confirmedAt, this.#drainedAt) > DRAIN_INTERVAL) this.#drain(now);
    if (!isLimited || signal > wantedDelay(this.#rate) || this.#rate > this.#found) this.#found = this.#rate;
    this.#signal = signal;
    this.#rate = Math.min(this.#most, Math.max(this.#least, this.#rate));
  }

  /** Nothing was heard for long: the lowest rate, until there is feedback again; then up from there as at the start. */
  silence(): void {
    this.#wasSilent = true;
    this.#rate = this.#least;
    this.#found = this.#least;
    this.#isStarting = true;
  }

  /**
   * Losses with a queue are congestion, as far as there are more than without one. Those without one are the path's own, a radio's
   * say, and borne up to a bound.
   */
  #lossPenalty({ now, queueDelay, lossShare, lossCount, packetCount, isSpared }: HopReport): number {
    if (queueDelay > CONGESTED) this.#congestedAt = now;
    if (now - this.#congestedAt < CONGESTED_FOR) {
      if (isSpared) return 0;
      const excess = Math.max(0, lossShare - OWN_LOSS_FACTOR * this.#ownLoss);
      return Math.min(MOST_PENALTY, LOSS_PENALTY * (excess / LOSS_REFERENCE) ** 2);
    }
    const weight = Math.min(1, packetCount / OWN_LOSS_PACKETS);
    if (packetCount > 0) this.#ownLoss += weight * (lossCount / packetCount - this.#ownLoss);
    return Math.min(
      MOST_PENALTY,
      (LOSS_PENALTY * Math.max(0, this.#ownLoss - LOSS_TOLERANCE)) / LOSS_REFERENCE,
    );
  }

  /** Up by as much again as feedback can stop in time, until there is a queue that says how much is too much. */
  #start({ now, queueDelay, received, roundTrip, isLimited, isSpared }: HopReport): void {
    if (queueDelay < START_QUEUE && this.#ownLoss <= LOSS_TOLERANCE) {
      const share = Math.min(MOST_INCREASE, START_BOUND / (roundTrip + FEEDBACK_DELAY));
      if (!isLimited) this.#rate = Math.max(this.#rate, (1 + share) * received);
      return;
    }
    this.#isStarting = false;
    const least = isSpared ? SPARED_BACK_OFF * this.#rate : 0;
    if (received > 0) this.#rate = Math.min(this.#rate, Math.max(least, START_BACK_OFF * received));
    this.#found = this.#rate;
    this.#drain(now);
  }

  /** RFC 8698, section 4.3, accelerated ramp-up: no faster than feedback can stop it before the queue has {@link QUEUE_BOUND}. */
  #accelerate({ roundTrip, received, isLimited }: HopReport): void {
    const share = Math.min(MOST_INCREASE, QUEUE_BOUND / (roundTrip + FEEDBACK_DELAY));
    if (!isLimited) this.#rate = Math.max(this.#rate, (1 + share) * received);
  }

  /** RFC 8698, section 4.3, gradual rate update: towards the queue that the rate wants, against its growth. */
  #approach({ received, roundTrip, isLimited, isSpared }: HopReport, signal: number, elapsed: number): void {
    const tau = TAU * Math.max(1, (roundTrip + FEEDBACK_DELAY) / SHORT_DELAY);
    const offset = signal - wantedDelay(this.#rate);
    const urgency = 1 + Math.min(MOST_URGENCY, Math.max(0, offset) / URGENT_OFFSET);
    const towards = SCALE * urgency * (elapsed / tau) * (offset / tau);
    const against = SCALE * ETA * ((signal - this.#signal) / tau);
    const changed = this.#rate * (1 - towards - against);
    // Where less is offered a delay that varies takes the rate down, and back to where it was: else it would only ever fall.
    if (changed > this.#rate)
      this.#rate = isLimited ? Math.max(this.#rate, Math.min(this.#found, changed)) : changed;
    else {
      const least = Math.max(MOST_BACK_OFF * received, isSpared ? SPARED_BACK_OFF * this.#rate : 0);
      this.#rate = Math.max(changed, Math.min(this.#rate, least));
    }
  }

  #drain(now: number): void {
    this.#drainedAt = now;
    this.#drainUntil = now + DRAIN_TIME;
  }
}

/** Milliseconds of queue with which a flow of this rate is content. */
function wantedDelay(rate: number): number {
  if (rate >= REFERENCE_RATE) return (REFERENCE_DELAY * REFERENCE_RATE) / rate;
  return REFERENCE_DELAY + DELAY_PER_FOLD * Math.log(REFERENCE_RATE / rate);
}

/** XREF at RMAX in RFC 8698: milliseconds, and the bits a second to which they belong. */
const REFERENCE_DELAY = 50;
const REFERENCE_RATE = 1_000_000;
/** Milliseconds more that a rate lower by the factor e wants. */
const DELAY_PER_FOLD = 25;

/** KAPPA, ETA and TAU, milliseconds. */
const SCALE = 1;
const ETA = 2.5;
const TAU = 500;
/** Milliseconds from a change of the rate to the report of it with which TAU goes; it is longer where that is. */
const SHORT_DELAY = 520;
/** Milliseconds of offset by which urgency grows by one, and how far it grows. */
const URGENT_OFFSET = 50;
const MOST_URGENCY = 2;
/** Share of what arrives below which one report does not take the rate: what arrives is what the path takes. */
const MOST_BACK_OFF = 0.7;
/** The same of the rate, where what arrives says nothing of the path: a carrier that stands still for a moment does not make it less for good. */
const SPARED_BACK_OFF = 0.85;
/** Milliseconds that a report stands for at most. */
const MAX_INTERVAL = 500;

/** Milliseconds without queue and losses after which the rate rises fast; LOGWIN. */
const CALM = 500;
/** Milliseconds in queues that count as none; QEPS. */
const QUEUE_EPSILON = 10;
/** Share of losses that counts as none. */
const LOSS_EPSILON = 0.02;
/** Milliseconds that rising fast may put into the queue; QBOUND. */
const QUEUE_BOUND = 50;
/** Milliseconds beyond the round trip until a report says what a rate did to the queue; DELTA and DFILT. */
const FEEDBACK_DELAY = 220;
const MOST_INCREASE = 0.5;
/** Milliseconds without queue and losses after which the rate rises to the next step of pictures, and by what share of it each second. */
const STEPPED_CALM = 2_000;
const STEPPED_INCREASE = 0.1;
/** Bits a second up to which it does so at the start. */
const STEPPED_START = 600_000;

/** As {@link QUEUE_BOUND}, at the start. */
const START_BOUND = 160;
/** Milliseconds of queue that end the start. */
const START_QUEUE = 70;
const START_BACK_OFF = 0.9;

/** Milliseconds for which losses after a queue of {@link CONGESTED} milliseconds are put down to it. */
const CONGESTED_FOR = 1_000;
const CONGESTED = 40;
/** Packets that make up the share of losses without a queue, and how far that may vary. */
const OWN_LOSS_PACKETS = 300;
const OWN_LOSS_FACTOR = 2;
/** Share of losses without a queue that is borne. */
const LOSS_TOLERANCE = 0.1;
/** DLOSS, milliseconds, at PLRREF; the square of the share counts. */
const LOSS_PENALTY = 10;
const LOSS_REFERENCE = 0.01;
const MOST_PENALTY = 300;

/** Milliseconds without a packet that found the queue empty after which it is drained for {@link DRAIN_TIME}. */
const DRAIN_INTERVAL = 8_000;
const DRAIN_TIME = 400;
const DRAIN_SHARE = 0.5;
