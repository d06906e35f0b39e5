/** A better rendition has to fit with so much to spare before it is chosen. */
const UP_HEADROOM = 1.25;
/** And for so long, ms: each change costs a key frame. */
const UP_AFTER_MS = 3_000;
/** The present one has to be too much for so long before a lesser one is chosen, ms: a key frame alone is no reason. */
const DOWN_AFTER_MS = 250;

/** A rendition that is coming, 0 the best. */
export interface ComingRendition {
  readonly rendition: number;
  /** Bits a second that it takes at present. */
  readonly bitsPerSecond: number;
}

/**
 * Chooses which of several renditions of one picture goes on to a listener. It changes at key frames alone: until the chosen one has one, the
 * present one goes on. Steps down soon, up slowly, and one at a time then.
 */
export class RenditionSwitch {
  #present: number | undefined;
  #chosen: number | undefined;
  #fitsSince: number | undefined;
  #tooMuchSince: number | undefined;
  #switches = 0;

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

  /** Looks at what comes, and how many bits a second there is room for. */
  look(coming: readonly ComingRendition[], bitsPerSecond: number, now: number): void {
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
      if (now - this.#tooMuchSince >= DOWN_AFTER_MS) this.#choose(fitting?.rendition);
      return;
    }
    this.#tooMuchSince = undefined;
    if (better === undefined || better.bitsPerSecond * UP_HEADROOM > bitsPerSecond)
      this.#fitsSince = undefined;
    else {
      this.#fitsSince ??= now;
      if (now - this.#fitsSince >= UP_AFTER_MS) this.#choose(better.rendition);
    }
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
