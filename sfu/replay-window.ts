/** Sequence numbers a flow of datagrams may lag behind its newest one (`design` 5). */
export const DATAGRAM_WINDOW = 1024;

/** The same for packets on streams, which arrive complete and nearly in order. */
export const STREAM_WINDOW = 256;

/** `behind` means too old to know whether it was seen; it is refused like a replay, under its own name. */
export type WindowVerdict = "new" | "replayed" | "behind";

/**
 * Remembers which 48-bit sequence numbers were seen, as a bitmap that slides with the highest one (RFC 4303 3.4.3).
 * Testing and recording are apart: record only what has proved authentic, or a forger could push the window ahead
 * of the real speaker. Neither allocates.
 */
export class ReplayWindow {
  readonly #bits: Uint32Array;
  readonly #size: number;
  #highest = -1;

  /** `size`: sequence numbers covered, a power of two from 32 up. */
  constructor(size: number = DATAGRAM_WINDOW) {
    if (size < 32 || (size & (size - 1)) !== 0)
      throw new RangeError("window size must be a power of two, 32 or more");
    this.#size = size;
    this.#bits = new Uint32Array(size / 32);
  }

  /** Highest sequence number recorded, or `undefined` before the first. */
  get highest(): number | undefined {
    return this.#highest < 0 ? undefined : this.#highest;
  }

  /** Says what `sequence` is without recording it. `depth` narrows the window for this one test. */
  test(sequence: number, depth: number = this.#size): WindowVerdict {
    if (sequence > this.#highest) return "new";
    if (this.#highest - sequence >= Math.min(depth, this.#size)) return "behind";
    return this.#isSet(sequence) ? "replayed" : "new";
  }

  /** Records `sequence`, which `test` called `new`. One that lies behind the window is ignored. */
  commit(sequence: number): void {
    if (sequence > this.#highest) this.#advance(sequence);
    else if (this.#highest - sequence >= this.#size) return;
    // `&` keeps the low 32 bits of a number exactly, which is all a position in the bitmap needs.
    const position = sequence & (this.#size - 1);
    const word = position >>> 5;
    this.#bits[word] = (this.#bits[word] ?? 0) | (1 << (position & 31));
  }

  #isSet(sequence: number): boolean {
    const position = sequence & (this.#size - 1);
    return (((this.#bits[position >>> 5] ?? 0) >>> (position & 31)) & 1) === 1;
  }

  #advance(sequence: number): void {
    if (sequence - this.#highest >= this.#size) {
      this.#bits.fill(0);
    } else {
      for (let skipped = this.#highest + 1; skipped < sequence; skipped++) {
        const position = skipped & (this.#size - 1);
        const word = position >>> 5;
        this.#bits[word] = (this.#bits[word] ?? 0) & ~(1 << (position & 31));
      }
    }
    this.#highest = sequence;
  }
}
