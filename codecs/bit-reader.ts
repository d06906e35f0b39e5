/** Bits of a byte array from the highest of each byte on, as video headers are written. */
export class BitReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Whether more was read than there is: every bit past the end is a 0. */
  get isPastEnd(): boolean {
    return this.#at > this.#bytes.length * 8;
  }

  /** The next `count` bits, 0 to 32, as an unsigned number. */
  read(count: number): number {
    let value = 0;
    for (let left = count; left > 0; left -= 1) value = value * 2 + this.#bit();
    return value;
  }

  /** Whether the next bit is 1. */
  flag(): boolean {
    return this.#bit() === 1;
  }

  /** Passes over `count` bits. */
  skip(count: number): void {
    this.#at += count;
  }

  #bit(): number {
    const at = this.#at++;
    return ((this.#bytes[at >> 3] ?? 0) >> (7 - (at & 7))) & 1;
  }
}
