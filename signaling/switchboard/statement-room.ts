/** Bytes of statements, interrupts and changes that one end of a session may leave at once. */
export const STATEMENT_BURST = 16 * 1024 * 1024;
/**
 * Bytes a second of it that are made free again, for each stream: what a voice of 10 ms frames in profile `chain` and receipts of a way
 * that loses every second frame take together, and half as much again. So a call lasts as long as was agreed.
 */
const STATEMENT_BYTES_PER_SECOND = 6 * 1024;
/** Kept free for the last statements of every stream: an end that has come this near has its session ended, before one is refused. */
export const LAST_WORDS_ROOM = 256 * 1024;

/** How much of its room for statements one end uses: it fills with what is kept and empties with time. */
export class StatementRoom {
  #perMs: number;
  #bytes: number;
  #at: number;

  /** `bytes`: in use at `now`. */
  constructor(streams: number, bytes: number, now: number) {
    this.#perMs = perMs(streams);
    this.#bytes = Math.min(bytes, STATEMENT_BURST);
    this.#at = now;
  }

  /** There are so many streams from now on. */
  useStreams(streams: number, now: number): void {
    this.left(now);
    this.#perMs = perMs(streams);
  }

  /** In use when it was last asked, whole bytes. */
  get bytes(): number {
    return Math.ceil(this.#bytes);
  }

  /** There is room for so many more bytes, beside the last statements. */
  fits(bytes: number, now: number): boolean {
    return bytes <= this.left(now) - LAST_WORDS_ROOM;
  }

  /** No room is left but for the last statements. */
  isSpent(now: number): boolean {
    return !this.fits(0, now);
  }

  take(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Bytes there are left for everything. */
  left(now: number): number {
    // A clock that was set back frees nothing, and costs nothing of what comes after.
    this.#bytes = Math.max(0, this.#bytes - Math.max(0, now - this.#at) * this.#perMs);
    this.#at = now;
    return STATEMENT_BURST - this.#bytes;
  }
}

function perMs(streams: number): number {
  return (streams * STATEMENT_BYTES_PER_SECOND) / 1000;
}
