/** A better rendition has to fit with so much to spare before it is chosen. */
const UP_HEADROOM = 1.25;
/** And for so long, ms: each change costs a key frame. */
const UP_AFTER_MS = 3_000;
/** What does not fit for less than this changes nothing, ms: something waits for a moment behind every large unit. */
const FITS_GAP_MS = 1_000;
/** The present one has to be too much for so long before a lesser one is chosen, ms: a key frame alone is no reason. */
const DOWN_AFTER_MS = 250;
/** A better rendition that was left again so soon was more than there is room for, ms: the next trial comes later, up to this. */
const TRIAL_MS = 8_000;
const MOST_UP_AFTER_MS = 60_000;

/** A rendition that is coming, 0 the best. */
export interface ComingRendition {
  readonly rendition: number;
  /** Bits a second that it takes at present. */
  readonly bitsPerSecond: number;
}

/**
 * Chooses which of several renditions of one video goes on to a listener. It changes at key frames alone: until the chosen one has one, the
 * present one goes on. Steps down soon, up slowly, and one at a time then.
 */
export class RenditionSwitch {
  #present: number | undefined;
  #chosen: number | undefined;
  #fitsSince: number | undefined;
  #fittedAt = Number.NEGATIVE_INFINITY;
  #tooMuchSince: number | undefined;
  #switches = 0;
  #upAfter = UP_AFTER_MS;
  #wentUpAt = Number.NEGATIVE_INFINITY;

  /** What goes on now; `undefined` before the first key frame. */
  get present(): number | undefined {
    return this.#present;
  }

  /** The rendition of which a key frame is needed, so that it can take over. */
  get wantsKeyFrameOf(): number | undefined {
    return this.#chosen === this.#present ? undefined : this.#chosen;
  }

  /** Changes from one to another. */
  get switches(): number {
    return this.#switches;
  }

  /**
   * Looks at what comes, and how many bits a second there is room for. `mayBeMore`: the present one leaves room unused, and how much there
   * is beyond is not known. A better one is tried then.
   */
  look(
    coming: readonly ComingRendition[],
    bitsPerSecond: number,
    now: number,
    mayBeMore: boolean = false,
  ): void {
    if (coming.length === 0) return;
    const best = [...coming].sort((one, other) => one.rendition - other.rendition);
    const fitting = best.find((each) => each.bitsPerSecond <= bitsPerSecond) ?? best.at(-1);
    const presentAt = best.findIndex(({ rendition }) => rendition === this.#chosen);
    const present = best[presentAt];
    if (present === undefined) {
      this.#choose(fitting?.rendition);
      return;
    }
    const better = best[presentAt - 1];
    if (present.bitsPerSecond > bitsPerSecond) {
      this.#fitsSince = undefined;
      this.#tooMuchSince ??= now;
      if (now - this.#tooMuchSince >= DOWN_AFTER_MS) {
        const wasTrial = now - this.#wentUpAt < TRIAL_MS;
        this.#upAfter = wasTrial ? Math.min(MOST_UP_AFTER_MS, 2 * this.#upAfter) : UP_AFTER_MS;
        this.#choose(fitting?.rendition);
      }
      return;
    }
    this.#tooMuchSince = undefined;
    const fits = better !== undefined && better.bitsPerSecond * UP_HEADROOM <= bitsPerSecond;
    if (better === undefined || !(fits || mayBeMore)) {
      if (better === undefined || now - this.#fittedAt >= FITS_GAP_MS) this.#fitsSince = undefined;
      return;
    }
    this.#fittedAt = now;
    this.#fitsSince ??= now;
    if (now - this.#fitsSince < this.#upAfter) return;
    this.#wentUpAt = now;
    this.#choose(better.rendition);
  }

  /** Whether a unit goes on to the listener. */
  takes({ rendition, key }: { readonly rendition: number; readonly key: boolean }): boolean {
    this.#chosen ??= rendition;
    if (key && rendition === this.#chosen && rendition !== this.#present) {
      if (this.#present !== undefined) this.#switches += 1;
      this.#present = rendition;
    }
    return rendition === this.#present;
  }

  #choose(rendition: number | undefined): void {
    this.#chosen = rendition;
    this.#fitsSince = undefined;
    this.#tooMuchSince = undefined;
  }
}
