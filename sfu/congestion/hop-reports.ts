import { arrivalOf, OFFSETS_PER_SECOND, REPORT_TIMES_PER_SECOND } from "../../codecs/rtcp-arrivals.ts";
import { QueueDelay } from "./queue-delay.ts";
import type { RateControl } from "./rate-control.ts";
import { RateMeter } from "./rate-meter.ts";
import type { Settled } from "./sent-packets.ts";

/** What reports of feedback add up to: round trip, waiting in queues, losses, what arrives. One report at a time. */
export class HopReports implements Settled {
  readonly #delay = new QueueDelay();
  readonly #arrived = new RateMeter();
  #now = 0;
  /** When the report was made, by a continuous count of the receiver's clock. */
  #made = 0;
  #lastRaw: number | undefined;
  #newestArrival = 0;
  #lossAverage = 0;
  /** The report was made after all that came before it. */
  isNewest = false;
  freed = 0;
  acknowledgedCount = 0;
  lostCount = 0;
  /** Milliseconds, smoothed. */
  roundTrip: number | undefined;
  leastRoundTrip: number | undefined;
  queueDelay = 0;
  /** Bits a second that arrived lately. */
  received = 0;
  isLimited = true;
  /** When less than the rate was last offered, and what arrived then, bits a second, smoothed. */
  #limitedAt = Number.NEGATIVE_INFINITY;
  #usual = 0;
  /** The most that arrived lately, bits a second. */
  #peak = 0;
  /** How long what follows was on its way says how long the queue is. */
  isDelayTaken = true;
  /** What follows goes on streams: a carrier sends datagrams before them, and a lost piece once more. */
  arePieces = false;
  /** When the piece that was sent last, of those acknowledged, was sent: as of the report before, and by now. */
  #overtakenBefore = Number.NEGATIVE_INFINITY;
  #newestPiece = Number.NEGATIVE_INFINITY;
  /** Milliseconds between reports, smoothed. */
  interval = 250;
  /** The same, but more at once: the next report is not late before that. */
  longInterval = 250;
  /** When the last one came that told something new. */
  reportedAt: number | undefined;
  /** When a packet was last lost, or a piece sent once more. */
  lostAt = Number.NEGATIVE_INFINITY;

  /** Milliseconds of sending without a report after which one is overdue: what is on its way stands still, or is lost. */
  get overdueAfter(): number {
    const { longInterval, roundTrip = 0 } = this;
    return Math.max(roundTrip + longInterval + OVERDUE, OVERDUE_REPORTS * longInterval + OVERDUE_MARGIN);
  }

  get lossShare(): number {
    return this.#lossAverage;
  }

  /** Begins a report that was made at `raw` of the receiver's clock, which wraps; none when packets only expire. */
  begin(now: number, raw?: number): this {
    this.#now = now;
    this.freed = 0;
    this.acknowledgedCount = 0;
    this.lostCount = 0;
    this.#overtakenBefore = this.#newestPiece;
    if (raw === undefined) return this;
    const before = this.#made;
    if (this.#lastRaw === undefined) this.#made = raw;
    else {
      const step = (((raw - this.#lastRaw) % WRAP) + WRAP) % WRAP;
      this.#made += step > WRAP / 2 ? step - WRAP : step;
    }
    this.isNewest = this.#lastRaw === undefined || this.#made > before;
    this.#lastRaw = raw;
    return this;
  }

  acknowledged(sentAt: number, bytes: number, entry: number): void {
    this.freed += bytes;
    this.acknowledgedCount += 1;
    this.#lossAverage *= 1 - LOSS_WEIGHT;
    const offset = arrivalOf(entry);
    if (offset === undefined) return;
    const before = (offset * 1_000) / OFFSETS_PER_SECOND;
    const arrival = this.#made - before;
    this.#arrived.add(bytes, arrival);
    if (arrival > this.#newestArrival) this.#newestArrival = arrival;
    if (!this.isDelayTaken) return;
    if (this.arePieces) {
      // One that later ones overtook was not held up by a queue: it was lost, and sent once more.
      if (sentAt < this.#overtakenBefore) {
        if (this.#overtakenBefore - sentAt > REPEATED) this.lostAt = this.#now;
        return;
      }
      if (sentAt > this.#newestPiece) this.#newestPiece = sentAt;
    }
    // Arrivals are what the peer says: one before the packet went is made up, or rounded.
    this.#delay.add(arrival - sentAt, Math.max(0, this.#now - sentAt - before));
  }

  late(_bytes: number): void {
    this.#lossAverage = Math.max(0, this.#lossAverage - LOSS_WEIGHT);
  }

  lost(bytes: number): void {
    this.freed += bytes;
    this.lostCount += 1;
    if (!this.arePieces) this.lostAt = this.#now;
    this.#lossAverage += LOSS_WEIGHT * (1 - this.#lossAverage);
  }

  forgotten(bytes: number): void {
    this.freed += bytes;
  }

  /** The report is complete, and something in it was new. */
  end(control: RateControl, offered: number, isWaiting: boolean, hasPictures: boolean): void {
    const now = this.#now;
    if (this.reportedAt !== undefined) this.#noteInterval(Math.min(now - this.reportedAt, MAX_INTERVAL));
    this.reportedAt = now;
    const steps = this.#delay.clockSteps;
    const found = this.#delay.report(now);
    if (found === undefined) return;
    if (this.#delay.clockSteps > steps) {
      // Arrivals before the step and after it are of two clocks: what arrived in a time is not known for a moment.
      this.#arrived.reset();
      this.#newestArrival = Number.NEGATIVE_INFINITY;
      return;
    }
    this.queueDelay = found.delay;
    this.roundTrip =
      this.roundTrip === undefined
        ? found.roundTrip
        : this.roundTrip + (found.roundTrip - this.roundTrip) / 8;
    if (this.leastRoundTrip === undefined || found.roundTrip < this.leastRoundTrip)
      this.leastRoundTrip = found.roundTrip;
    this.received = this.#arrived.rate(this.#newestArrival, RECEIVED_WINDOW);
    this.#peak = Math.max(this.received, PEAK_KEPT * this.#peak);
    const isLittle = offered < LIMITED_SHARE * control.bitsPerSecond;
    this.isLimited = !isWaiting && isLittle;
    // Less offered, and less arriving while something else goes by, says nothing of what the way takes: what arrived before does.
    const wasLimited = hasPictures && now - this.#limitedAt < SPARED_FOR;
    control.report({
      now,
      queueDelay: found.delay,
      confirmedAt: found.confirmedAt,
      roundTrip: this.roundTrip,
      lossShare: this.#lossAverage,
      lossCount: this.lostCount,
      packetCount: this.lostCount + this.acknowledgedCount,
      received: wasLimited && this.#usual < THIN_WAY ? Math.max(this.received, this.#usual) : this.received,
      isLimited: this.isLimited,
      isSpared: wasLimited && this.#peak < SPARED_WAY,
      isStepped: hasPictures,
    });
    if (!isLittle) return;
    const isFirst = now - this.#limitedAt > SPARED_FOR;
    this.#limitedAt = now;
    this.#usual = isFirst ? this.received : this.#usual + (this.received - this.#usual) / USUAL_REPORTS;
  }

  #noteInterval(interval: number): void {
    this.interval += (interval - this.interval) / 4;
    this.longInterval = Math.max(interval, this.longInterval + (interval - this.longInterval) / 4);
  }
}

/** Milliseconds after which the receiver's clock is at the same value again. */
const WRAP = (2 ** 32 * 1_000) / REPORT_TIMES_PER_SECOND;
/** Milliseconds that the first report on what was sent may take beyond the round trip and the interval between reports. */
const OVERDUE = 350;
/** Intervals, and milliseconds, in which one report may follow another: two between them may be lost. */
const OVERDUE_REPORTS = 3;
const OVERDUE_MARGIN = 200;
/** How much one packet counts in the share of those lost: the last hundred or so make it up. */
const LOSS_WEIGHT = 0.01;
const MAX_INTERVAL = 500;
/** Milliseconds by which a piece that is sent once more comes behind others at least; those of two units may be read the other way round. */
const REPEATED = 20;
/** Who offers less than this share of what may be sent does not try how much the hop takes. */
const LIMITED_SHARE = 0.6;
const RECEIVED_WINDOW = 300;
/** Milliseconds for which what arrived while less was offered than may be sent is still believed, beside pictures; over how many reports it is smoothed. */
const SPARED_FOR = 1_000;
const USUAL_REPORTS = 16;
/** Bits a second above which what goes by, some 10 KB at once, is no more than a moment's queue. */
const THIN_WAY = 300_000;
/** The same above which what no longer arrives tells that the way became less; and how much of the most that arrived is remembered with each report. */
const SPARED_WAY = 600_000;
const PEAK_KEPT = 0.98;
