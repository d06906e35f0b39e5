/** The least transit time is that of so much of the past, ms, in so many parts: clocks drift, and ways change. */
const FLOOR_MS = 30_000;
const FLOOR_PARTS = 6;

/** The least time that things took lately, from a time that was told of them to their arrival. */
export class TransitFloor {
  #parts: { readonly number: number; least: number }[] = [];

  /** Something took so long, and came now. */
  observe(transit: number, now: number): void {
    const number = Math.floor(now / (FLOOR_MS / FLOOR_PARTS));
    const last = this.#parts.at(-1);
    if (last?.number === number) last.least = Math.min(last.least, transit);
    else this.#parts.push({ number, least: transit });
    this.forgetBefore(now);
  }

  /** What is of long before is let go. */
  forgetBefore(now: number): void {
    const number = Math.floor(now / (FLOOR_MS / FLOOR_PARTS));
    while (this.#parts[0] !== undefined && this.#parts[0].number <= number - FLOOR_PARTS) this.#parts.shift();
  }

  /** `undefined` before anything was observed. */
  get least(): number | undefined {
    return leastOf(this.#parts.map(({ least }) => least));
  }
}

/**
 * The wall clock of a sender as its streams tell it, set against ours by what comes fastest of any of them: that is taken to have been captured when it came. One for all streams of a
 * sender, so that they stay in step, and go on as before where the sender sets its clock.
 */
export class SenderClock {
  readonly #floors = new Map<object, TransitFloor>();
  #ahead = 0;

  /** By how much the sender has set its clock forward since it was first told, ms. */
  get ahead(): number {
    return this.#ahead;
  }

  /** From what a stream tells as its time to our clock, of whichever stream comes fastest; `undefined` before anything came. */
  get least(): number | undefined {
    return leastOf([...this.#floors.values()].map(({ least }) => least));
  }

  /** Something of a stream came that took so long by the sender's clock, `ahead` taken out. */
  observe(stream: object, transit: number, now: number): void {
    let floor = this.#floors.get(stream);
    if (floor === undefined) {
      floor = new TransitFloor();
      this.#floors.set(stream, floor);
    }
    floor.observe(transit, now);
    for (const one of this.#floors.values()) one.forgetBefore(now);
  }

  /**
   * What a stream tells is another time than before, by so much. Either it alone told the wrong time, where with the new one it is closer to the others, and it is
   * right from now on: false. Or the clock was set.
   */
  isSet(stream: object, parted: number): boolean {
    const own = this.#floors.get(stream)?.least;
    const others = leastOf([...this.#floors].map(([one, { least }]) => (one === stream ? undefined : least)));
    const wasWrong =
      own !== undefined && others !== undefined && Math.abs(own - parted - others) < Math.abs(own - others);
    if (wasWrong) this.leave(stream);
    else this.#ahead += parted;
    return !wasWrong;
  }

  /** The stream is over, or what came of it says nothing any more. */
  leave(stream: object): void {
    this.#floors.delete(stream);
  }
}

function leastOf(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
