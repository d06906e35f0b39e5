/** Gaps that are remembered to know a picture's pace. */
const PACE_GAPS = 30;
/** A gap this many times the usual one, and this much longer, ms, is a freeze: as browsers count them (W3C WebRTC statistics, freezeCount). */
const FREEZE_TIMES = 3;
const FREEZE_MORE_MS = 150;

/** Tells when a picture stands still, by the times at which its units are shown. */
export class FreezeMeter {
  readonly #gaps: number[] = [];
  #last: number | undefined;
  #freezes = 0;
  #frozen = 0;

  /** A unit is shown at `at`, ms. Those that come out of order are taken as shown with the one before. */
  shown(at: number): void {
    const last = this.#last;
    if (last !== undefined && at <= last) return;
    this.#last = at;
    if (last === undefined) return;
    const gap = at - last;
    if (this.#isFreeze(gap)) {
      this.#freezes += 1;
      this.#frozen += gap;
      return;
    }
    this.#gaps.push(gap);
    if (this.#gaps.length > PACE_GAPS) this.#gaps.shift();
  }

  /** What was counted when watching ended at `now`: a picture that stands still then counts for as long as it did. */
  at(now: number): { readonly freezes: number; readonly frozenMs: number } {
    const gap = this.#last === undefined ? 0 : now - this.#last;
    return this.#isFreeze(gap)
      ? { freezes: this.#freezes + 1, frozenMs: this.#frozen + gap }
      : { freezes: this.#freezes, frozenMs: this.#frozen };
  }

  #isFreeze(gap: number): boolean {
    const usual = this.#gaps.reduce((sum, one) => sum + one, 0) / Math.max(1, this.#gaps.length);
    return gap > Math.max(FREEZE_TIMES * usual, usual + FREEZE_MORE_MS);
  }
}
