import { extendSequence } from "../../codecs/sequence.ts";

/** Packets of one source that are remembered until feedback speaks of them: 8 s of video at 500 a second. The oldest is given up. */
const MAX_REMEMBERED = 4_096;
/** Packets a source is given room for at first; it doubles where that is too little. */
const FIRST_REMEMBERED = 64;

/** What became of packets, told while they are looked through. */
export interface Settled {
  acknowledged(sentAt: number, bytes: number, entry: number): void;
  /** It was taken for lost before. */
  late(bytes: number): void;
  lost(bytes: number): void;
  /** Nothing was heard of it for so long that it no longer counts as on its way. */
  forgotten(bytes: number): void;
}

/** The packets of one source that were sent and not yet heard of. Recording one allocates nothing, but for growth. */
export class SentPackets {
  #mask = FIRST_REMEMBERED - 1;
  #sequences = new Float64Array(FIRST_REMEMBERED).fill(-1);
  #sentAt = new Float64Array(FIRST_REMEMBERED);
  /** Positive: on its way. Zero: acknowledged. Negative: taken for lost. */
  #bytes = new Int32Array(FIRST_REMEMBERED);
  /** How many were sent before it: numbers may leave in another order. */
  #order = new Float64Array(FIRST_REMEMBERED);
  /** No packet before this one is on its way. */
  #oldest = 0;
  #newest = -1;
  #sent = 0;
  /** Of those acknowledged, the order of the one sent last. */
  #lastHeard = -1;
  #inFlight = 0;

  /** The last one sent; -1 before the first. */
  get newest(): number {
    return this.#newest;
  }

  /** Bytes on their way. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** One of them was heard of. */
  get isHeard(): boolean {
    return this.#lastHeard >= 0;
  }

  /**
   * Returns the bytes that are no longer on their way though nothing was heard of them: of packets given up for this one, or its own
   * where its number was used. 0 almost always.
   */
  record(sequence: number, bytes: number, now: number): number {
    if (this.#newest < 0) this.#oldest = sequence;
    else if (sequence <= this.#newest && !this.#fillsGap(sequence)) return bytes;
    let slot = sequence & this.#mask;
    if ((this.#bytes[slot] as number) > 0 && this.#mask + 1 < MAX_REMEMBERED) {
      this.#grow();
      slot = sequence & this.#mask;
    }
    let given = Math.max(0, this.#bytes[slot] as number);
    this.#inFlight += bytes - given;
    this.#sequences[slot] = sequence;
    this.#sentAt[slot] = now;
    this.#bytes[slot] = bytes;
    this.#order[slot] = this.#sent++;
    if (sequence > this.#newest) this.#newest = sequence;
    if (sequence < this.#oldest) this.#oldest = sequence;
    given += this.#giveUpBefore(this.#newest - this.#mask);
    return given;
  }

  /** Bytes on their way that were sent before then. */
  inFlightSince(sentBefore: number): number {
    let bytes = 0;
    if (this.#inFlight === 0) return bytes;
    for (let sequence = this.#oldest; sequence <= this.#newest; sequence += 1) {
      const slot = sequence & this.#mask;
      if (this.#sequences[slot] !== sequence || (this.#bytes[slot] as number) <= 0) continue;
      if ((this.#sentAt[slot] as number) >= sentBefore) break;
      bytes += this.#bytes[slot] as number;
    }
    return bytes;
  }

  /** Feedback said that it arrived, and it is still remembered. */
  hasArrived(sequence: number): boolean {
    const slot = sequence & this.#mask;
    return this.#sequences[slot] === sequence && this.#bytes[slot] === 0;
  }

  /** The number of one of these packets from its low 16 bits. */
  extend(low: number): number {
    return extendSequence(this.#newest, low);
  }

  /** Feedback says that it arrived. */
  acknowledge(sequence: number, entry: number, settled: Settled): void {
    const slot = sequence & this.#mask;
    if (this.#sequences[slot] !== sequence) return;
    const bytes = this.#bytes[slot] as number;
    if (bytes === 0) return;
    this.#bytes[slot] = 0;
    this.#lastHeard = Math.max(this.#lastHeard, this.#order[slot] as number);
    if (bytes > 0) {
      this.#inFlight -= bytes;
      settled.acknowledged(this.#sentAt[slot] as number, bytes, entry);
    } else settled.late(-bytes);
  }

  /** Feedback says that it did not arrive: it is lost once one arrived that was sent at least {@link REORDERED} after it. */
  missing(sequence: number, settled: Settled): void {
    if ((this.#order[sequence & this.#mask] as number) > this.#lastHeard - REORDERED) return;
    const bytes = this.#takeOff(sequence);
    if (bytes > 0) settled.lost(bytes);
  }

  /** Forgets what is before `first`, the first that a report speaks of: the report on it was lost. What left after all that arrived is yet to be spoken of. */
  passed(first: number, settled: Settled): void {
    const last = Math.min(first, this.#newest + 1);
    let isAllOver = true;
    for (let sequence = this.#oldest; sequence < last; sequence += 1) {
      if (this.#isUnderway(sequence)) {
        isAllOver = false;
        continue;
      }
      const bytes = this.#takeOff(sequence);
      if (bytes > 0) settled.forgotten(bytes);
      if (isAllOver) this.#oldest = sequence + 1;
    }
  }

  /** Forgets what was sent before then. */
  expire(sentBefore: number, settled: Settled): void {
    for (; this.#oldest <= this.#newest; this.#oldest += 1) {
      const slot = this.#oldest & this.#mask;
      const isCurrent = this.#sequences[slot] === this.#oldest && (this.#bytes[slot] as number) > 0;
      if (isCurrent && (this.#sentAt[slot] as number) > sentBefore) return;
      const bytes = this.#takeOff(this.#oldest);
      if (bytes > 0) settled.forgotten(bytes);
    }
  }

  /** Whoever sent it took it back: it is neither lost nor, should it arrive all the same, a measure of anything. Its bytes where it was on its way. */
  abandon(sequence: number): number {
    const slot = sequence & this.#mask;
    if (this.#sequences[slot] !== sequence) return 0;
    const bytes = this.#bytes[slot] as number;
    this.#bytes[slot] = 0;
    this.#inFlight -= Math.max(0, bytes);
    return Math.max(0, bytes);
  }

  /** The same for everything that is on its way. */
  abandonAll(): number {
    let freed = 0;
    for (let sequence = this.#oldest; sequence <= this.#newest; sequence += 1)
      freed += this.abandon(sequence);
    return freed;
  }

  /** Numbers may leap, over packets that never left: those further back than so many are remembered have no place any more. Their bytes. */
  #giveUpBefore(first: number): number {
    let bytes = 0;
    const last = Math.min(first, this.#oldest + this.#mask + 1);
    for (let sequence = this.#oldest; sequence < last; sequence += 1) bytes += this.#takeOff(sequence);
    this.#oldest = Math.max(this.#oldest, first);
    return bytes;
  }

  /** Takes a packet off its way: its bytes, 0 where it was not on it. */
  #takeOff(sequence: number): number {
    const slot = sequence & this.#mask;
    const bytes = this.#bytes[slot] as number;
    if (this.#sequences[slot] !== sequence || bytes <= 0) return 0;
    this.#bytes[slot] = -bytes;
    this.#inFlight -= bytes;
    return bytes;
  }

  /** Whether nothing that was sent after this one is known to have arrived. */
  #isUnderway(sequence: number): boolean {
    const slot = sequence & this.#mask;
    const isSent = this.#sequences[slot] === sequence && (this.#bytes[slot] as number) > 0;
    return isSent && (this.#order[slot] as number) > this.#lastHeard;
  }

  /** Whether a packet that was overtaken by others of its source before it came here has a place that nobody had. */
  #fillsGap(sequence: number): boolean {
    const slot = sequence & this.#mask;
    return this.#newest - sequence <= this.#mask && (this.#sequences[slot] as number) < sequence;
  }

  #grow(): void {
    const [sequences, sentAt, bytes, order] = [this.#sequences, this.#sentAt, this.#bytes, this.#order];
    const size = 2 * (this.#mask + 1);
    this.#mask = size - 1;
    this.#sequences = new Float64Array(size).fill(-1);
    this.#sentAt = new Float64Array(size);
    this.#bytes = new Int32Array(size);
    this.#order = new Float64Array(size);
    for (let index = 0; index < sequences.length; index += 1) {
      const sequence = sequences[index] as number;
      if (sequence < 0) continue;
      const slot = sequence & this.#mask;
      this.#sequences[slot] = sequence;
      this.#sentAt[slot] = sentAt[index] as number;
      this.#bytes[slot] = bytes[index] as number;
      this.#order[slot] = order[index] as number;
    }
  }
}

/** Packets that must have overtaken one before it counts as lost (RFC 9002, section 6.1.1). */
const REORDERED = 3;
