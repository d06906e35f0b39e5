/** Gaps that are remembered to know a video's pace. */
const PACE_GAPS = 30;
/** A gap this many times the usual one, and this much longer, ms, is a freeze: as browsers count them (W3C WebRTC statistics, freezeCount). */
const FREEZE_TIMES = 3;
const FREEZE_MORE_MS = 150;
/** A video that is to begin, or to go on after a pause, and does not for so long, ms, has stood still ever since. */
const BEGINS_WITHIN_MS = 2_000;

/**
 * Tells when a video stands still, by the times at which its units are shown. It counts while something is to come: on at least one of the streams that
 * show it, one for each rendition. Times are monotonic milliseconds.
 */
export class FreezeMeter {
  readonly #awaited = new Set<number>();
  readonly #gaps: number[] = [];
  /** When something was shown last, or was to be from then on. */
  #last: number | undefined;
  #hasBegun = false;
  #freezes = 0;
  #frozen = 0;

  /** Something is to come on this stream from now on. Idempotent. */
  awaits(stream: number, now: number): void {
    if (this.#awaited.size === 0) {
      this.#last = now;
      this.#hasBegun = false;
    }
    this.#awaited.add(stream);
  }

  /** Nothing is: its speaker mutes or closes it, the call is suspended, or nobody wants it here. Idempotent. */
  rests(stream: number, now: number): void {
    if (!this.#awaited.delete(stream) || this.#awaited.size > 0) return;
    this.#count(now);
    this.#last = undefined;
  }

  /** A unit is shown at `at`. Those that come out of order are taken as shown with the one before. */
  shown(at: number): void {
    const last = this.#last;
    if (last === undefined || at <= last) return;
    if (!this.#count(at) && this.#hasBegun) {
      this.#gaps.push(at - last);
      if (this.#gaps.length > PACE_GAPS) this.#gaps.shift();
    }
    this.#last = at;
    this.#hasBegun = true;
  }

  /** What was counted until `now`: a video that stands still then counts for as long as it did. */
  at(now: number): { readonly freezes: number; readonly frozenMs: number } {
    const gap = this.#freezeUntil(now);
    return { freezes: this.#freezes + (gap > 0 ? 1 : 0), frozenMs: this.#frozen + gap };
  }

  #count(now: number): boolean {
    const gap = this.#freezeUntil(now);
    if (gap === 0) return false;
    this.#freezes += 1;
    this.#frozen += gap;
    return true;
  }

  /** How long it stood still, where that is a freeze; 0 otherwise. */
  #freezeUntil(now: number): number {
    const gap = this.#last === undefined ? 0 : now - this.#last;
    if (!this.#hasBegun) return gap > BEGINS_WITHIN_MS ? gap : 0;
    const usual = this.#gaps.reduce((sum, one) => sum + one, 0) / Math.max(1, this.#gaps.length);
    return gap > Math.max(FREEZE_TIMES * usual, usual + FREEZE_MORE_MS) ? gap : 0;
  }
}
