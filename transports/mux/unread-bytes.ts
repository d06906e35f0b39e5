/**
 * What came on a stream and was not read yet. Small chunks are put together: a peer that sends single bytes would otherwise make each of them
 * a buffer, and its credit many times as much memory.
 */
export class UnreadBytes {
  readonly #pieces: Uint8Array[] = [];
  /** What of the last piece is in use. */
  #filled = 0;

  /** Copies. */
  add(bytes: Uint8Array): void {
    const last = this.#pieces.at(-1);
    if (last !== undefined && this.#filled + bytes.length <= MAX_JOINED_BYTES) {
      this.#room(last, this.#filled + bytes.length).set(bytes, this.#filled);
      this.#filled += bytes.length;
      return;
    }
    this.#settle();
    this.#pieces.push(bytes.slice());
    this.#filled = bytes.length;
  }

  /** The next bytes, if any wait. */
  take(): Uint8Array | undefined {
    if (this.#pieces.length === 1) this.#settle();
    return this.#pieces.shift();
  }

  /** What was taken last and not used to its end: it comes first again. Not copied. */
  putBack(bytes: Uint8Array): void {
    if (this.#pieces.length === 0) this.#filled = bytes.length;
    this.#pieces.unshift(bytes);
  }

  clear(): void {
    this.#pieces.length = 0;
  }

  /** The last piece, made large enough. */
  #room(last: Uint8Array, length: number): Uint8Array {
    if (length <= last.length) return last;
    const larger = new Uint8Array(Math.min(MAX_JOINED_BYTES, Math.max(length, 2 * last.length)));
    larger.set(last.subarray(0, this.#filled));
    this.#pieces[this.#pieces.length - 1] = larger;
    return larger;
  }

  /** The last piece ends where it is filled, in a buffer of its size. */
  #settle(): void {
    const last = this.#pieces.at(-1);
    if (last !== undefined && this.#filled < last.length)
      this.#pieces[this.#pieces.length - 1] = last.slice(0, this.#filled);
  }
}

/** Bytes up to which chunks are put together. */
const MAX_JOINED_BYTES = 4 * 1024;
