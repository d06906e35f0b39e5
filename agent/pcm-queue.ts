/** Interleaved PCM that waits, in pieces as they were written. */
export class PcmQueue {
  readonly #pieces: Int16Array[] = [];
  #length = 0;
  /** Values of the first piece that were taken already. */
  #taken = 0;

  /** Values that wait. */
  get length(): number {
    return this.#length;
  }

  /** Takes a copy. */
  push(pcm: Int16Array): void {
    this.#pieces.push(pcm.slice());
    this.#length += pcm.length;
  }

  clear(): void {
    this.#pieces.length = 0;
    this.#length = 0;
    this.#taken = 0;
  }

  /** What is next, as far as it was written in one piece: so many values at most. */
  peek(length: number): Int16Array {
    return this.#pieces[0]?.subarray(this.#taken, this.#taken + length) ?? new Int16Array(0);
  }

  /** Moves the next values into `frame`, and zeros where there are no more. */
  fill(frame: Int16Array): void {
    let filled = 0;
    while (filled < frame.length) {
      const head = this.#pieces[0];
      if (head === undefined) break;
      const take = Math.min(head.length - this.#taken, frame.length - filled);
      frame.set(head.subarray(this.#taken, this.#taken + take), filled);
      filled += take;
      this.#taken += take;
      if (this.#taken === head.length) {
        this.#pieces.shift();
        this.#taken = 0;
      }
    }
    frame.fill(0, filled);
    this.#length -= filled;
  }
}
