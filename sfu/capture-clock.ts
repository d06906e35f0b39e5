import { type NtpTime, ntpToUnixMs } from "../codecs/ntp.ts";
import { SenderClock, TransitFloor } from "./sender-clock.ts";

/** What was captured is taken to have come this much earlier at most, ms: what waited longer on its way is late, whatever is said of it. */
const MOST_TRANSIT_MS = 1_500;
/** A time that is further from the one before it than the timestamps say, by less than this, ms, is moved there bit by bit: by this share of the time that passes. */
const STEP_MS = 400;
const SLEW = 0.05;
/** What is told jumps by more than this, ms, where the sender set its clock, or told the wrong time before. */
const CLOCK_SET_MS = 100;
/** What comes this much sooner or later than what is known of its time allows, ms, has timestamps that began anew. */
const PARTED_MS = 5_000;

export interface CaptureClockCounters {
  /** Reports and capture times that were taken. */
  readonly told: number;
  /** Of these, such that jumped: their sender set its clock, or this stream alone told the wrong time before. */
  readonly clockSet: number;
  readonly corrected: number;
  /** Times at which captures did not go on from where they were: they jumped, or the timestamps began anew. */
  readonly steps: number;
}

/** A moment as a timestamp, unwrapped, and by some clock, ms. */
interface Moment {
  readonly ticks: number;
  readonly at: number;
}

/**
 * Tells when what has an RTP timestamp was captured, by the clock that arrivals are given by: from the sender's reports or the capture times in its packets, and from
 * arrivals alone while it tells none. Never later than the arrival, and never backwards where the timestamps go forwards; where what is told changes a
 * little, as clocks drift, it follows bit by bit.
 */
export class CaptureClock {
  readonly #ticksPerMs: number;
  readonly #sender: SenderClock;
  #arrivals = new TransitFloor();
  #newest: number | undefined;
  /** A moment by the sender's clock as it was first. */
  #anchor: Moment | undefined;
  /** Without one: the first arrival. */
  #arrival: Moment | undefined;
  #last: Moment | undefined;
  #notBefore = Number.NEGATIVE_INFINITY;
  readonly #counters = { told: 0, clockSet: 0, corrected: 0, steps: 0 };

  /** `sender` is of all streams of one sender. */
  constructor(clockRate: number, sender: SenderClock = new SenderClock()) {
    this.#ticksPerMs = clockRate / 1_000;
    this.#sender = sender;
  }

  get counters(): CaptureClockCounters {
    return { ...this.#counters };
  }

  /**
   * The sender says what time by its clock a timestamp is of: a report, whose timestamp may be of no packet, or a packet's capture time. `offsetMs`: what a mixer adds to
   * get from its source's clock to its own.
   */
  told(time: NtpTime, timestamp: number, offsetMs: number = 0): void {
    // A report without a time is of a sender that has no clock (RFC 3550 section 6.4.1).
    if (time.seconds === 0 && time.fraction === 0) return;
    this.#counters.told += 1;
    this.#newest ??= timestamp;
    const ticks = this.#unwrapped(timestamp);
    const at = ntpToUnixMs(time.seconds, time.fraction) + offsetMs;
    if (this.#anchor !== undefined) {
      const parted = at - this.#sender.ahead - this.#along(this.#anchor, ticks);
      if (Math.abs(parted) > CLOCK_SET_MS)
        this.#counters[this.#sender.isSet(this, parted) ? "clockSet" : "corrected"] += 1;
    }
    this.#anchor = { ticks, at: at - this.#sender.ahead };
  }

  /** When the packet of that timestamp, which came at `arrival`, was captured. */
  at(timestamp: number, arrival: number): number {
    let ticks = this.#unwrapped(timestamp);
    if (this.#isParted(ticks, arrival)) {
      this.#begin();
      ticks = timestamp;
    }
    if (this.#newest === undefined || ticks > this.#newest) this.#newest = ticks;
    this.#arrival ??= { ticks, at: arrival };
    const sent = this.#along(this.#anchor ?? this.#arrival, ticks);
    if (this.#anchor === undefined) this.#arrivals.observe(arrival - sent, arrival);
    else this.#sender.observe(this, arrival - sent, arrival);
    const captured = sent + (this.#least ?? 0);
    return this.#goOn(ticks, Math.max(captured, arrival - MOST_TRANSIT_MS, this.#notBefore), arrival);
  }

  /** The stream is over: it has no part in its sender's clock any more. */
  close(): void {
    this.#sender.leave(this);
  }

  get #least(): number | undefined {
    return this.#anchor === undefined ? this.#arrivals.least : this.#sender.least;
  }

  /** On from what was said before, towards what is known now. */
  #goOn(ticks: number, captured: number, arrival: number): number {
    const last = this.#last;
    if (last === undefined) {
      this.#last = { ticks, at: captured };
      return captured;
    }
    const expected = this.#along(last, ticks);
    // What was overtaken has the place that it would have had.
    if (ticks <= last.ticks) return Math.min(expected, arrival);
    const parted = captured - expected;
    const most = SLEW * (expected - last.at);
    const isStep = Math.abs(parted) > STEP_MS;
    if (isStep) this.#counters.steps += 1;
    const moved = isStep ? captured : expected + Math.max(-most, Math.min(most, parted));
    const at = Math.max(last.at, Math.min(moved, arrival));
    this.#last = { ticks, at };
    return at;
  }

  #isParted(ticks: number, arrival: number): boolean {
    const reference = this.#anchor ?? this.#arrival;
    const least = this.#least;
    if (this.#last === undefined || reference === undefined || least === undefined) return false;
    return Math.abs(arrival - this.#along(reference, ticks) - least) > PARTED_MS;
  }

  /** What was known is of other timestamps. */
  #begin(): void {
    this.#counters.steps += 1;
    this.#notBefore = this.#last?.at ?? this.#notBefore;
    this.#newest = undefined;
    this.#anchor = undefined;
    this.#arrival = undefined;
    this.#last = undefined;
    this.#arrivals = new TransitFloor();
    this.#sender.leave(this);
  }

  #along({ ticks, at }: Moment, to: number): number {
    return at + (to - ticks) / this.#ticksPerMs;
  }

  #unwrapped(timestamp: number): number {
    const newest = this.#newest;
    return newest === undefined ? timestamp : newest + ((timestamp - newest) | 0);
  }
}
