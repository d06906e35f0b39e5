/** Which of a source's pictures are taken, so that no more than so many a second are, evenly. */

/** Pictures come a little early and late: this share of the time between two is forgiven. */
const SLACK = 0.25;

export class FramePace {
  #due = Number.NEGATIVE_INFINITY;

  /** Whether to take the picture of that time, monotonic milliseconds. */
  takes(at: number, perSecond: number): boolean {
    const between = 1_000 / perSecond;
    if (at < this.#due - SLACK * between) return false;
    // On the beat where the source keeps it; after a pause from here on.
    this.#due = Math.max(this.#due + between, at + between / 2);
    return true;
  }
}
