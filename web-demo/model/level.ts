/** How loud somebody speaks, for a meter. */

/** What a meter shows as empty, dB below full scale. */
export const QUIETEST_DB = -60;
/** How fast a meter falls when it becomes quiet, dB a second. */
const FALL_DB_PER_S = 40;

/** Root mean square of 16-bit samples in dB below full scale, at least {@link QUIETEST_DB}. */
export function levelOf(pcm: Int16Array): number {
  if (pcm.length === 0) return QUIETEST_DB;
  let sum = 0;
  for (const sample of pcm) sum += sample * sample;
  const db = 10 * Math.log10(sum / pcm.length / 32_768 ** 2);
  return Math.max(QUIETEST_DB, db);
}

/** A meter that rises at once and falls evenly. Times are monotonic milliseconds. */
export class LevelMeter {
  #db = QUIETEST_DB;
  #at = 0;

  /** Samples come out at `at`. */
  hearPcm(pcm: Int16Array, at: number): void {
    this.hear(levelOf(pcm), at);
  }

  /** Sound of `db` below full scale (0 or less) at `at`. */
  hear(db: number, at: number): void {
    this.#db = Math.max(db, this.#fallen(at));
    this.#at = at;
  }

  /** Share of the meter that is filled, 0..1. */
  fill(now: number): number {
    return 1 - this.#fallen(now) / QUIETEST_DB;
  }

  #fallen(now: number): number {
    const fall = (Math.max(0, now - this.#at) / 1000) * FALL_DB_PER_S;
    return Math.max(QUIETEST_DB, this.#db - fall);
  }
}
