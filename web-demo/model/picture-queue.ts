/** Pictures that wait for the moment at which they are to be shown. */

/** Pictures that wait; the oldest goes. Decoders own few of them, and stop when all are held. */
const WAITING = 8;

export class PictureQueue<Picture> {
  readonly #drop: (picture: Picture) => void;
  readonly #waiting: { readonly at: number; readonly picture: Picture }[] = [];
  #dropped = 0;

  /** `drop` takes each picture that will not be shown. */
  constructor(drop: (picture: Picture) => void) {
    this.#drop = drop;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Pictures that were never shown: overtaken by the next one, or too many. */
  get dropped(): number {
    return this.#dropped;
  }

  /** A picture to be shown at `at`, monotonic milliseconds. They come in order. */
  put(at: number, picture: Picture): void {
    this.#waiting.push({ at, picture });
    if (this.#waiting.length > WAITING) this.#dropFirst();
  }

  /** The picture to be shown now, the caller's from then on; `undefined` while the one before stays. */
  due(now: number): Picture | undefined {
    while ((this.#waiting[1]?.at ?? Number.POSITIVE_INFINITY) <= now) this.#dropFirst();
    const [first] = this.#waiting;
    if (first === undefined || first.at > now) return undefined;
    this.#waiting.shift();
    return first.picture;
  }

  clear(): void {
    while (this.#waiting.length > 0) this.#dropFirst();
  }

  #dropFirst(): void {
    const first = this.#waiting.shift();
    if (first === undefined) return;
    this.#dropped += 1;
    this.#drop(first.picture);
  }
}
