import { joinVideoFragments, readVideoFragment, type VideoFragmentFacts } from "../codecs/rtp-fragment.ts";
import type { RtpPacket } from "../codecs/rtp-packet.ts";
import type { VideoFormatName, VideoUnit } from "../codecs/video-formats.ts";
import { type RtpArrival, type RtpArrivalCounters, RtpArrivals } from "./rtp-arrivals.ts";
import { KeyFrameRequests } from "./video-keyframes.ts";

/** So long a packet that is missing is waited for, ms, once a later one has come: it may be sent again. Then its unit is given up. */
export const MISSING_FRAGMENT_MS = 300;
/** Packets that wait at most, and their bytes: the largest unit has less. Beyond that the oldest unit is given up as if a packet of it were missing. */
export const MAX_WAITING_FRAGMENTS = 2_048;
const MAX_WAITING_FRAGMENT_BYTES = 2_097_152;
/** No unit that Parley carries has more, bytes; a larger one is given up. */
const MAX_JOINED_BYTES = 1_000_000;

/** A whole unit of which everything before it that it needs was given out. */
export interface RtpUnit extends VideoUnit {
  /** RTP timestamp, 32 bits. */
  readonly timestamp: number;
  /** When the first of its packets came, and when the last one did. */
  readonly arrivedAt: number;
  readonly wholeAt: number;
}

/** Late are packets whose unit was given out or given up before they came. */
export interface RtpFramesCounters extends RtpArrivalCounters {
  /** Packets of padding alone. */
  readonly padding: number;
  /** Packets whose payload is none of the format, and whole units that are not. */
  readonly malformed: number;
  /** Units given out. */
  readonly given: number;
  /** Times at which a unit was given up, since something was missing, or waited beyond the caps, or it was too large. */
  readonly incomplete: number;
  readonly overflow: number;
  readonly tooLarge: number;
  /** Packets passed over until a key frame came. */
  readonly passedOver: number;
  readonly keyFramesAsked: number;
}

interface Fragment extends RtpArrival {
  readonly packet: RtpPacket;
  /** Absent: padding alone. */
  readonly facts: VideoFragmentFacts | undefined;
}

/**
 * Makes whole units of the RTP packets of one source, in whatever order they come: duplicates, retransmissions and packets that overtake each other
 * included. Units are given out in order from a key frame on; where one cannot be made whole in time nothing is given out before the next key frame, for which it
 * asks. Drive it by calling `next` after each `insert` and at `nextTimeout` until it returns `undefined`, and then `asksKeyFrame`. Times are
 * milliseconds of any one clock.
 */
export class RtpFrames {
  readonly #format: VideoFormatName;
  readonly #wait: number;
  readonly #arrivals = new RtpArrivals<Fragment>();
  readonly #requests = new KeyFrameRequests();
  /** Of those that wait. */
  #bytes = 0;
  /** Of those that wait, the beginnings of key frames. */
  #starts = 0;
  /** So many from the first on belong to the next unit, and do not end it: what comes is looked at once, however much waits. */
  #joined = 0;
  /** The first one behind what is missing, and since when that is. Later ones change nothing of it. */
  #gap: { readonly at: number; readonly since: number } | undefined;
  /** Where the next unit begins; `undefined`: with the next key frame. */
  #next: number | undefined;
  /** Nothing can be decoded before a key frame. */
  #isLost = true;
  /** Number of the picture that was given out last, where its sender counts. */
  #picture: number | undefined;
  readonly #counters = {
    ...{ padding: 0, malformed: 0, passedOver: 0 },
    ...{ given: 0, incomplete: 0, overflow: 0, tooLarge: 0 },
  };

  constructor(format: VideoFormatName, wait: number = MISSING_FRAGMENT_MS) {
    this.#format = format;
    this.#wait = wait;
  }

  /** Takes a packet, which is its own from now on. */
  insert(packet: RtpPacket, now: number): void {
    const spot = this.#arrivals.place(packet.sequence);
    if (spot === undefined) return;
    if (spot.isRestart) this.#beginAnew();
    if (this.#arrivals.counters.received === 1) this.#requests.expect(now);
    const isPadding = packet.payload.length === 0;
    if (isPadding) this.#counters.padding += 1;
    const read = isPadding ? undefined : readVideoFragment(this.#format, packet.payload);
    if (read?.ok === false) {
      this.#counters.malformed += 1;
      return;
    }
    this.#requests.startOver();
    const { index, place } = spot;
    const fragment = { place, packet, facts: read?.value, arrivedAt: now };
    this.#arrivals.put(spot, fragment);
    this.#bytes += packet.payload.length;
    if (isStart(fragment)) this.#starts += 1;
    this.#joined = Math.min(this.#joined, index);
    if (this.#gap !== undefined && index <= this.#gap.at) this.#gap = undefined;
  }

  /** The next unit, where it is whole and can be decoded. */
  next(now: number): RtpUnit | undefined {
    for (;;) {
      if (!this.#begin(now)) return undefined;
      const count = this.#wholeCount();
      if (count !== undefined) {
        const unit = this.#take(count, now);
        if (unit !== undefined) return unit;
        continue;
      }
      const isFull = this.#isFull;
      if (!isFull && now < (this.#missingSince() ?? Number.POSITIVE_INFINITY) + this.#wait) return undefined;
      this.#counters[isFull ? "overflow" : "incomplete"] += 1;
      this.#giveUp();
    }
  }

  /** When `next` or `asksKeyFrame` may have something though nothing more came. `roundTrip`: to the sender and back, ms. */
  nextTimeout(roundTrip?: number): number | undefined {
    const missing = this.#next === undefined ? undefined : this.#missingSince();
    const due = [
      missing === undefined ? undefined : missing + this.#wait,
      this.#requests.nextTimeout(roundTrip),
    ];
    const times = due.filter((at) => at !== undefined);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** Whether to ask the sender for a key frame now; counts as asked then. Not more often than is of use. */
  asksKeyFrame(now: number, roundTrip?: number): boolean {
    return this.#requests.poll(now, roundTrip);
  }

  /** Somebody behind needs a key frame. */
  requestKeyFrame(): void {
    this.#requests.want();
  }

  get counters(): RtpFramesCounters {
    return { ...this.#arrivals.counters, ...this.#counters, keyFramesAsked: this.#requests.asked };
  }

  /** Packets that wait. */
  get size(): number {
    return this.#waiting.length;
  }

  /** Ascending in place. */
  get #waiting(): readonly Fragment[] {
    return this.#arrivals.waiting;
  }

  /** Moves what waits to where a unit begins; false where none does yet. */
  #begin(now: number): boolean {
    if (this.#next === undefined) {
      const start = this.#starts === 0 ? -1 : this.#waiting.findIndex(isStart);
      if (start < 0) {
        // What belongs to a key frame may come before its beginning does.
        const kept = this.#waiting.findIndex(({ arrivedAt }) => now < arrivedAt + this.#wait);
        this.#passOver(kept < 0 ? this.#waiting.length : kept);
        while (this.#isFull) this.#passOver(1);
        return false;
      }
      this.#passOver(start);
      this.#goOn((this.#waiting[0] as Fragment).place);
    }
    let first = this.#waiting[0];
    for (; first !== undefined && first.place === this.#next && !first.facts; first = this.#waiting[0]) {
      this.#drop(1);
      this.#goOn(first.place + 1);
    }
    if (first === undefined) return false;
    if (first.place !== this.#next && this.#isNextPicture(first)) this.#goOn(first.place);
    return true;
  }

  /** Whether it follows the picture given out last, by its number: what is missing between them was padding. */
  #isNextPicture({ facts }: Fragment): boolean {
    const [last, picture] = [this.#picture, facts?.picture];
    if (facts?.begins !== "yes" || last === undefined || picture === undefined) return false;
    return picture === ((last + 1) & 0x7fff) || (last === 0x7f && picture === 0);
  }

  /** How many packets the next unit has, once all are there. */
  #wholeCount(): number | undefined {
    const [first] = this.#waiting;
    for (; this.#joined < this.#waiting.length; this.#joined += 1) {
      const index = this.#joined;
      const { place, packet, facts } = this.#waiting[index] as Fragment;
      if (place !== (this.#next as number) + index) return undefined;
      // A sender that sets no marker still goes on with another time.
      if (facts !== undefined && packet.timestamp !== first?.packet.timestamp) return index;
      if (packet.marker && facts !== undefined) return index + 1;
    }
    return undefined;
  }

  #take(count: number, now: number): RtpUnit | undefined {
    const parts = this.#waiting.slice(0, count);
    const payloads = parts.flatMap(({ packet, facts }) => (facts === undefined ? [] : [packet.payload]));
    const bytes = payloads.reduce((sum, { length }) => sum + length, 0);
    this.#drop(count);
    this.#goOn((this.#next as number) + count);
    const unit = bytes > MAX_JOINED_BYTES ? undefined : joinVideoFragments(this.#format, payloads);
    if (unit?.ok !== true || (this.#isLost && !unit.value.key)) {
      this.#counters[unit === undefined ? "tooLarge" : "malformed"] += 1;
      this.#lose();
      return undefined;
    }
    this.#isLost = false;
    this.#picture = parts.find(({ facts }) => facts !== undefined)?.facts?.picture;
    if (unit.value.key) this.#requests.came();
    this.#counters.given += 1;
    const arrivals = parts.map(({ arrivedAt }) => arrivedAt);
    const timestamp = parts[0]?.packet.timestamp as number;
    return { ...unit.value, timestamp, arrivedAt: Math.min(...arrivals), wholeAt: now };
  }

  /** Since when something is missing before a packet that is here. */
  #missingSince(): number | undefined {
    if (this.#gap !== undefined) return this.#gap.since;
    let at = this.#joined;
    while (at < this.#waiting.length && this.#waiting[at]?.place === (this.#next as number) + at) at += 1;
    if (at === this.#waiting.length) return undefined;
    const since = this.#arrivals.earliest(at);
    this.#gap = { at, since };
    return since;
  }

  /** The unit that is not whole goes, with all that came of it. */
  #giveUp(): void {
    const [first] = this.#waiting;
    const isBegun = first?.place === this.#next;
    const end = isBegun
      ? this.#waiting.findIndex(({ packet }) => packet.timestamp !== first?.packet.timestamp)
      : 0;
    this.#drop(end < 0 ? this.#waiting.length : end);
    this.#lose();
  }

  get #isFull(): boolean {
    return this.#waiting.length > MAX_WAITING_FRAGMENTS || this.#bytes > MAX_WAITING_FRAGMENT_BYTES;
  }

  /** The next unit begins there, and what comes from before that is late. */
  #goOn(place: number): void {
    this.#next = place;
    this.#arrivals.passTo(place);
    this.#lookAgain();
  }

  /** The sender did: nothing of before waits. */
  #beginAnew(): void {
    this.#bytes = 0;
    this.#starts = 0;
    this.#lookAgain();
    this.#lose();
  }

  #lose(): void {
    this.#next = undefined;
    this.#picture = undefined;
    this.#isLost = true;
    this.#requests.want();
  }

  #passOver(count: number): void {
    this.#counters.passedOver += count;
    this.#drop(count);
  }

  #drop(count: number): void {
    for (const fragment of this.#arrivals.take(count)) {
      this.#bytes -= fragment.packet.payload.length;
      if (isStart(fragment)) this.#starts -= 1;
    }
    this.#lookAgain();
  }

  /** Other packets wait than before, from the first on. */
  #lookAgain(): void {
    this.#joined = 0;
    this.#gap = undefined;
  }
}

function isStart({ facts }: Fragment): boolean {
  return facts?.begins === "yes" && facts.key;
}
