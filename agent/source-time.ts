/** The source's clock and its capture times may part by so much, ms; beyond it the source has begun to count anew. */
const MOST_APART_MS = 1_000;

/**
 * Where the frames of a source with an RTP clock of its own stand in ours: as far apart as there, so that what the source left out, or what was lost on the
 * way from it, is a gap of the same length, and its drift against this machine's clock makes none. Where it begins to count anew, capture times say how far apart.
 */
export class SourceTime {
  readonly #clockRate: number;
  readonly #frameTicks: number;
  #last: { readonly timestamp: number; readonly captured: number; readonly position: number } | undefined;

  /** `frameTicks`: RTP ticks of one frame. */
  constructor(options: { readonly clockRate: number; readonly frameTicks: number }) {
    this.#clockRate = options.clockRate;
    this.#frameTicks = options.frameTicks;
  }

  /**
   * Ticks from the first frame to one that the source gives this RTP timestamp and capture time (milliseconds). `undefined`: it is of before one
   * that was placed, or is that one once more.
   */
  place(timestamp: number, captured: number): number | undefined {
    const last = this.#last;
    const position = last === undefined ? 0 : this.#after(last, timestamp, captured);
    if (position !== undefined) this.#last = { timestamp, captured, position };
    return position;
  }

  #after(
    last: { readonly timestamp: number; readonly captured: number; readonly position: number },
    timestamp: number,
    captured: number,
  ): number | undefined {
    const ticks = (timestamp - last.timestamp) | 0;
    const passed = ((captured - last.captured) * this.#clockRate) / 1000;
    const isAnew = Math.abs(ticks - passed) > (MOST_APART_MS * this.#clockRate) / 1000;
    if (!isAnew && ticks <= 0) return undefined;
    return last.position + Math.max(this.#frameTicks, isAnew ? Math.round(passed) : ticks);
  }
}
