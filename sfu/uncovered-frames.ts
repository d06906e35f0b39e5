import { FRAME_DIGEST_BYTES } from "../codecs/frame-layout.ts";

/** Frames there is room for at first; it doubles where that is too little. */
const FIRST_ROOM = 64;

/**
 * Number, arrival and digest of frames that no checkpoint listed so far, in the order in which they came. Adding one allocates nothing, but
 * for growth: what lives for a second is the dearest to collect.
 */
export class UncoveredFrames {
  #sequences = new Float64Array(FIRST_ROOM);
  #arrivedAt = new Float64Array(FIRST_ROOM);
  #digests = new Uint8Array(FIRST_ROOM * FRAME_DIGEST_BYTES);
  /** They stand from here on, `size` of them. */
  #begin = 0;
  #size = 0;
  /** After the highest number that was among them since there were none. */
  #above = 0;

  get size(): number {
    return this.#size;
  }

  /** When the first of them came; `undefined` when there is none. */
  get oldestAt(): number | undefined {
    return this.#size === 0 ? undefined : this.#arrivedAt[this.#begin];
  }

  /** `digest`, of 16 bytes, is copied. A frame of the same number has its place. */
  add(sequence: number, digest: Uint8Array, at: number): void {
    let place = sequence < this.#above ? this.#placeOf(sequence) : -1;
    if (place < 0) {
      if (this.#begin + this.#size === this.#sequences.length) this.#makeRoom();
      place = this.#begin + this.#size;
      this.#size += 1;
    }
    this.#sequences[place] = sequence;
    this.#arrivedAt[place] = at;
    this.#digests.set(digest, place * FRAME_DIGEST_BYTES);
    if (sequence >= this.#above) this.#above = sequence + 1;
  }

  /** The first is not waited for any more. */
  dropOldest(): void {
    if (this.#size === 0) return;
    this.#begin += 1;
    this.#size -= 1;
  }

  /**
   * Takes out those whose number is below `end`, in the order in which they came: `taken` is told the number of each, and a place that
   * {@link isListed} knows until it returns.
   */
  takeBelow(end: number, taken: (sequence: number, place: number) => void): void {
    const after = this.#begin + this.#size;
    let kept = this.#begin;
    for (let place = this.#begin; place < after; place += 1) {
      const sequence = this.#sequences[place] as number;
      if (sequence < end) taken(sequence, place);
      else this.#move(place, kept++);
    }
    this.#size = kept - this.#begin;
    if (this.#size > 0) return;
    this.#begin = 0;
    this.#above = 0;
  }

  /** Whether the frame at this place has that digest. */
  isListed(place: number, digest: Uint8Array): boolean {
    if (digest.length !== FRAME_DIGEST_BYTES) return false;
    const from = place * FRAME_DIGEST_BYTES;
    for (let at = 0; at < FRAME_DIGEST_BYTES; at += 1)
      if (this.#digests[from + at] !== digest[at]) return false;
    return true;
  }

  #placeOf(sequence: number): number {
    for (let place = this.#begin; place < this.#begin + this.#size; place += 1)
      if (this.#sequences[place] === sequence) return place;
    return -1;
  }

  #move(from: number, to: number): void {
    if (from === to) return;
    this.#sequences[to] = this.#sequences[from] as number;
    this.#arrivedAt[to] = this.#arrivedAt[from] as number;
    const begin = from * FRAME_DIGEST_BYTES;
    this.#digests.copyWithin(to * FRAME_DIGEST_BYTES, begin, begin + FRAME_DIGEST_BYTES);
  }

  /** Brings all to the front, among twice as many places where half of them are taken. */
  #makeRoom(): void {
    const [from, to] = [this.#begin, this.#begin + this.#size];
    const [sequences, arrivedAt, digests] = [this.#sequences, this.#arrivedAt, this.#digests];
    if (2 * this.#size > sequences.length) {
      const room = 2 * sequences.length;
      this.#sequences = new Float64Array(room);
      this.#arrivedAt = new Float64Array(room);
      this.#digests = new Uint8Array(room * FRAME_DIGEST_BYTES);
    }
    this.#sequences.set(sequences.subarray(from, to));
    this.#arrivedAt.set(arrivedAt.subarray(from, to));
    this.#digests.set(digests.subarray(from * FRAME_DIGEST_BYTES, to * FRAME_DIGEST_BYTES));
    this.#begin = 0;
  }
}
