import {
  arrivalEntry,
  arrivalReportBytes,
  encodeArrivalReport,
  MAX_OFFSET,
  OFFSETS_PER_SECOND,
  REPORT_TIMES_PER_SECOND,
  type StreamArrivals,
} from "../../codecs/rtcp-arrivals.ts";
import { encodeRemb } from "../../codecs/rtcp-remb.ts";
import { sequenceLow } from "../../codecs/sequence.ts";
import { PACKET_OVERHEAD } from "./hop-packet.ts";

/** Packets of one source whose arrival is remembered for the next reports. What came before them is no longer reported. */
const REMEMBERED = 512;
/** Bytes of one report at most; what does not fit goes into a further one. */
const REPORT_BYTES = 1_000;
/** Sources that are reported on at once; packets of further ones are not noted. */
const MAX_SOURCES = 16;

/** Milliseconds between reports while there is trouble, or much to report. */
const BUSY_INTERVAL = 50;
/** The same where more than so many bits a second come: the sooner the sender knows that the way takes less, the less stands before what it says then. */
const MUCH_RATE = 1_000_000;
const MUCH_INTERVAL = 25;
/** Milliseconds between reports while little comes and all of it in time. */
const CALM_INTERVAL = 400;
/** By how much more time there is between two of them than between the two before as it becomes calm. */
const CALMING = 1.5;
/** How long reports stay frequent after trouble, milliseconds. */
const BUSY_FOR = 2_000;
/** Bits a second above which reports are frequent, trouble or not. */
const BUSY_RATE = 300_000;
/**
 * Each millisecond by which this end is later than that with its reports puts so many more between them: an overloaded machine is not
 * helped by more to do.
 */
const CALM_LATENESS = 20;
const LATENESS_WEIGHT = 10;
/** Share of that lateness that is remembered with each report. */
const LATENESS_KEPT = 0.9;
/** Milliseconds between a report and one that the first sign of trouble calls for. */
const URGENT_INTERVAL = 20;
/** Later than usual by so many milliseconds, and by twice what packets usually are early or late, a packet is trouble. */
const LATE = 25;

/**
 * The receiving side of a hop: notes what arrives and makes the reports by which the sending side's `MediaHop` goes. Each
 * report repeats what the one before said, so that one may be lost.
 */
export class FeedbackWriter {
  readonly #ssrc: number;
  readonly #sources = new Map<number, Arrivals>();
  #unnoted = 0;
  #reportAt: number | undefined;
  #lastReport: number;
  /** Milliseconds between it and the one before. */
  #lastInterval = CALM_INTERVAL;
  #bytes = 0;
  #busyUntil: number;
  #isMuch = false;
  #takes: number | undefined;
  /** By how much reports are made later than they were due, milliseconds. */
  #lateness = 0;
  /** Datagrams of one time are one round. */
  #round = 0;

  /** `ssrc` says in the reports who made them; `start` is now, in milliseconds of the clock of all later calls. */
  constructor(options: { readonly ssrc: number; readonly start: number }) {
    this.#ssrc = options.ssrc;
    this.#lastReport = options.start - CALM_INTERVAL;
    this.#busyUntil = options.start + BUSY_FOR;
  }

  /** Packets that no report speaks of: of too many sources. */
  get unnoted(): number {
    return this.#unnoted;
  }

  /**
   * A packet of `bytes` bytes arrived. `sentAt`, in milliseconds of any clock of the sender's, is when it was captured or sent: by it
   * lateness is seen before it is loss. `isTimed` false: it may have come long before it was read; when, is not told.
   */
  arrived(
    ssrc: number,
    sequence: number,
    bytes: number,
    now: number,
    sentAt?: number,
    isTimed: boolean = true,
  ): void {
    let source = this.#sources.get(ssrc);
    if (source === undefined) {
      if (this.#sources.size >= MAX_SOURCES) {
        this.#unnoted += 1;
        return;
      }
      source = new Arrivals(ssrc, sequence);
      this.#sources.set(ssrc, source);
    }
    const isTrouble = source.note(sequence, isTimed ? now : Number.NEGATIVE_INFINITY, sentAt);
    this.#bytes += bytes + PACKET_OVERHEAD;
    if (isTrouble) {
      // The first sign of it is worth a report at once; while it lasts the next one is near anyway.
      const interval = now < this.#busyUntil ? this.#busyInterval : URGENT_INTERVAL;
      this.#busyUntil = now + BUSY_FOR;
      this.#hurry(this.#lastReport + interval, now);
    } else if (this.#reportAt === undefined) {
      this.#hurry(this.#lastReport + this.#interval(now), now);
    } else if (now < this.#busyUntil) this.#hurry(this.#lastReport + this.#busyInterval, now);
  }

  /** The source is over: nothing is reported of it any more. */
  forget(ssrc: number): void {
    this.#sources.delete(ssrc);
  }

  /** What further hops take of these sources, to be told with the next report and each later one; `undefined` for no bound. */
  takes(bitsPerSecond: number | undefined): void {
    this.#takes = bitsPerSecond;
  }

  /** When `report` has something to say. */
  nextTimeout(): number | undefined {
    return this.#reportAt;
  }

  /** One datagram of feedback when it is time, else `undefined`. Call until `undefined`. */
  report(now: number): Uint8Array | undefined {
    if (this.#reportAt === undefined || now < this.#reportAt) return undefined;
    this.#lateness = Math.max(now - this.#reportAt - CALM_LATENESS, this.#lateness * LATENESS_KEPT);
    const elapsed = Math.max(1, now - this.#lastReport);
    const rate = (this.#bytes * 8_000) / elapsed;
    if (rate > BUSY_RATE) this.#busyUntil = now + BUSY_FOR;
    this.#isMuch = rate > MUCH_RATE;
    const streams: StreamArrivals[] = [];
    const ssrcs: number[] = [];
    let room = REPORT_BYTES;
    let isComplete = true;
    for (const source of this.#sources.values()) {
      if (!source.hasNews || source.finishedIn === this.#round) continue;
      const most = Math.min(source.due, Math.floor((room - arrivalReportBytes([0])) / 2 - 1));
      if (most < Math.min(source.due, LEAST_ENTRIES)) {
        isComplete = false;
        break;
      }
      const stream = source.report(now, most);
      if (source.isUnfinished) isComplete = false;
      else source.finishedIn = this.#round;
      room -= arrivalReportBytes([stream.packets.length]);
      streams.push(stream);
      ssrcs.push(source.ssrc);
    }
    if (isComplete) {
      this.#round += 1;
      this.#lastInterval = elapsed;
      this.#lastReport = now;
      this.#bytes = 0;
      // What came last is said twice, too: another report follows though nothing more arrives.
      const isToBeRepeated = [...this.#sources.values()].some((source) => source.hasNews);
      this.#reportAt = isToBeRepeated ? now + this.#interval(now) : undefined;
    }
    if (streams.length === 0) return undefined;
    const time = reportTime(now);
    const arrivals = encodeArrivalReport({ sender: this.#ssrc, streams, time });
    if (this.#takes === undefined) return arrivals;
    const remb = encodeRemb({
      sender: this.#ssrc,
      bitsPerSecond: Math.max(0, Math.floor(this.#takes)),
      streams: ssrcs,
    });
    const both = new Uint8Array(arrivals.length + remb.length);
    both.set(arrivals);
    both.set(remb, arrivals.length);
    return both;
  }

  /** What came and was not reported is due now. */
  hurry(now: number): void {
    if (this.#reportAt !== undefined) this.#hurry(now, now);
  }

  /** After trouble reports become less frequent step by step: who waits for them goes by the interval before. */
  #interval(now: number): number {
    if (now < this.#busyUntil) return this.#busyInterval;
    return Math.min(CALM_INTERVAL, Math.max(this.#busyInterval, CALMING * this.#lastInterval));
  }

  get #busyInterval(): number {
    const interval = this.#isMuch ? MUCH_INTERVAL : BUSY_INTERVAL;
    return Math.min(CALM_INTERVAL, interval + LATENESS_WEIGHT * this.#lateness);
  }

  #hurry(at: number, now: number): void {
    const due = Math.max(at, now);
    if (this.#reportAt === undefined || due < this.#reportAt) this.#reportAt = due;
  }
}

/** The arrivals of one source. */
class Arrivals {
  readonly ssrc: number;
  readonly #sequences = new Float64Array(REMEMBERED).fill(-1);
  readonly #times = new Float64Array(REMEMBERED);
  /** Where the report before last ended: the next one begins there. */
  #begin: number;
  /** Where the last one ended. */
  #told: number;
  #highest: number;
  #isToRepeat = false;
  #hasNew = false;
  /** The usual of arrival less sending. */
  #transit: number | undefined;
  /** How far from it arrivals usually are. */
  #deviation = 0;
  isUnfinished = false;
  /** The last round in which all of it was told. */
  finishedIn = -1;

  constructor(ssrc: number, sequence: number) {
    this.ssrc = ssrc;
    this.#begin = sequence;
    this.#told = sequence;
    this.#highest = sequence - 1;
  }

  get hasNews(): boolean {
    return this.#hasNew || this.#isToRepeat;
  }

  /** Whether the packet shows that others are lost, or that it was late itself. */
  note(sequence: number, now: number, sentAt: number | undefined): boolean {
    const isGap = sequence > this.#highest + 1;
    if (sequence - this.#highest > REMEMBERED) {
      // Numbers that jump that far are a sender that began anew: what was between them was never sent.
      this.#begin = sequence;
      this.#told = sequence;
    }
    if (sequence > this.#highest) this.#highest = sequence;
    else if (sequence < this.#begin && this.#highest - sequence < REMEMBERED) this.#begin = sequence;
    const slot = sequence & (REMEMBERED - 1);
    if (sequence > (this.#sequences[slot] as number)) {
      this.#sequences[slot] = sequence;
      this.#times[slot] = now;
      this.#hasNew = true;
    }
    if (sentAt === undefined) return isGap;
    const transit = now - sentAt;
    if (this.#transit === undefined) this.#transit = transit;
    const later = transit - this.#transit;
    const isLate = later > LATE + 2 * this.#deviation;
    this.#transit += later / 32;
    this.#deviation += (Math.abs(later) - this.#deviation) / 32;
    return isGap || isLate;
  }

  /** How many entries a report needs. */
  get due(): number {
    return this.#highest + 1 - Math.max(this.#begin, this.#highest + 1 - REMEMBERED);
  }

  report(now: number, most: number): StreamArrivals {
    const begin = Math.max(this.#begin, this.#highest + 1 - REMEMBERED);
    const end = Math.min(this.#highest + 1, begin + most);
    const packets = new Uint16Array(end - begin);
    for (let sequence = begin; sequence < end; sequence += 1) {
      const slot = sequence & (REMEMBERED - 1);
      if (this.#sequences[slot] !== sequence) continue;
      const before = ((now - (this.#times[slot] as number)) * OFFSETS_PER_SECOND) / 1_000;
      packets[sequence - begin] = arrivalEntry(Math.min(Math.round(before), MAX_OFFSET + 1));
    }
    this.isUnfinished = end <= this.#highest;
    if (this.isUnfinished) {
      this.#begin = end;
    } else {
      this.#isToRepeat = this.#hasNew;
      this.#begin = this.#hasNew ? Math.min(Math.max(this.#told, begin), end) : end;
      this.#told = end;
      this.#hasNew = false;
    }
    return { ssrc: this.ssrc, begin: sequenceLow(begin), packets };
  }
}

function reportTime(now: number): number {
  const steps = Math.round((now * REPORT_TIMES_PER_SECOND) / 1_000);
  return ((steps % 2 ** 32) + 2 ** 32) % 2 ** 32;
}

/** A report that has room for fewer entries of a source leaves it to the next one. */
const LEAST_ENTRIES = 16;
