/** Frames whose place is remembered: more than a minute of the shortest. The oldest gives way. */
const REMEMBERED_FRAMES = 8192;

/** Where in what was said in a turn each frame stands: a turn lasts from the end of the one before to its own, however often its writer paused. */
export class SaidTime {
  readonly #sequences = new Float64Array(REMEMBERED_FRAMES).fill(-1);
  readonly #starts = new Float64Array(REMEMBERED_FRAMES);
  #elapsed = 0;
  #last: number | undefined;

  /** The newest frame; undefined before the first. */
  get last(): number | undefined {
    return this.#last;
  }

  /** What is said now goes as frame `sequence`. */
  mark(sequence: number): void {
    const place = sequence % REMEMBERED_FRAMES;
    this.#last = sequence;
    this.#sequences[place] = sequence;
    this.#starts[place] = this.#elapsed;
  }

  /** So many milliseconds were said, in a frame or to nobody. */
  pass(ms: number): void {
    this.#elapsed += ms;
  }

  /** What is said next begins a turn. */
  endTurn(): void {
    this.#elapsed = 0;
  }

  /** Milliseconds of its turn before that frame; undefined for one that is not remembered. */
  before(sequence: number): number | undefined {
    const place = sequence % REMEMBERED_FRAMES;
    return this.#sequences[place] === sequence ? this.#starts[place] : undefined;
  }
}
