/** What was said before a turn was noticed, ms: its first sound. */
const PRE_ROLL_MS = 240;
/** Longest turn that is remembered, ms; of a longer one the beginning goes. */
export const LONGEST_TURN_MS = 30_000;

/** The sound of one turn: bounded, the oldest goes first. */
export class TurnMemory {
  readonly #valuesPerMs: number;
  #pieces: Int16Array[] = [];
  #values = 0;
  #dropped = 0;

  /** Interleaved PCM of so many samples a second and channels. */
  constructor(format: { readonly clockRate: number; readonly channels: number }) {
    this.#valuesPerMs = (format.clockRate * format.channels) / 1000;
  }

  /** Milliseconds that long turns lost of their beginning, in all. */
  get dropped(): number {
    return this.#dropped / this.#valuesPerMs;
  }

  /** One frame; outside a turn only the last moments are kept. */
  push(pcm: Int16Array, inTurn: boolean): void {
    this.#pieces.push(pcm);
    this.#values += pcm.length;
    const most = (inTurn ? LONGEST_TURN_MS : PRE_ROLL_MS) * this.#valuesPerMs;
    while (this.#values > most) {
      const gone = this.#pieces.shift()?.length ?? 0;
      this.#values -= gone;
      if (inTurn) this.#dropped += gone;
    }
  }

  /** The turn, without the last `quiet` milliseconds; the memory is empty after it. */
  take(quiet: number): Int16Array {
    const all = new Int16Array(this.#values);
    let at = 0;
    for (const piece of this.#pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    this.clear();
    return all.subarray(0, Math.max(0, all.length - Math.round(quiet) * this.#valuesPerMs));
  }

  clear(): void {
    this.#pieces = [];
    this.#values = 0;
  }
}
