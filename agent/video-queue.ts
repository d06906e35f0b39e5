import type { HeardVideo } from "./heard-video.ts";

/** Units kept for a reader that is slow or has not begun: four seconds at 30 a second. When one more comes all of them go, and it goes on at a key frame. */
const UNITS = 120;

/** Units for one reader, read by `for await`. What it is given can always be decoded: what a slow reader misses ends at a key frame. */
export class VideoQueue implements AsyncIterable<HeardVideo> {
  readonly #taken: (unit: HeardVideo) => void;
  #units: HeardVideo[] = [];
  #waiting: ((result: IteratorResult<HeardVideo, undefined>) => void) | undefined;
  #needsKey = true;
  #ended = false;
  #unread = 0;

  /** `taken`: told of each unit that the reader takes. */
  constructor(taken: (unit: HeardVideo) => void) {
    this.#taken = taken;
  }

  /** Units dropped because nobody read them in time. */
  get unread(): number {
    return this.#unread;
  }

  /** Whether nothing can be given out before another key frame. */
  get needsKey(): boolean {
    return this.#needsKey;
  }

  /** False: there was no room, and nothing is taken until a key frame comes. */
  push(unit: HeardVideo): boolean {
    if (this.#ended) return true;
    if (unit.key) this.#needsKey = false;
    if (this.#needsKey) {
      this.#unread += 1;
      return true;
    }
    if (this.#waiting !== undefined) {
      const deliver = this.#waiting;
      this.#waiting = undefined;
      this.#taken(unit);
      deliver({ done: false, value: unit });
      return true;
    }
    if (this.#units.length < UNITS) {
      this.#units.push(unit);
      return true;
    }
    const isNew = unit.key;
    this.#unread += this.#units.length + (isNew ? 0 : 1);
    this.#units = isNew ? [unit] : [];
    this.#needsKey = !isNew;
    return isNew;
  }

  /** What waits is let go, up to the last key frame: nobody reads yet, and who begins needs no more. */
  forgetOlder(): void {
    const last = this.#units.findLastIndex(({ key }) => key);
    if (last > 0) this.#units.splice(0, last);
  }

  /** No more units: the reader gets what is left, then the end. Idempotent. */
  end(): void {
    this.#ended = true;
    this.#waiting?.({ done: true, value: undefined });
    this.#waiting = undefined;
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  [Symbol.asyncIterator](): AsyncIterator<HeardVideo, undefined> {
    return {
      next: () => {
        const unit = this.#units.shift();
        if (unit !== undefined) {
          this.#taken(unit);
          return Promise.resolve({ done: false, value: unit });
        }
        if (this.#ended) return Promise.resolve({ done: true, value: undefined });
        return new Promise((resolve) => {
          this.#waiting = resolve;
        });
      },
      return: () => {
        this.end();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }
}
