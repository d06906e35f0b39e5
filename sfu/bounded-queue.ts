/**
 * A queue read by `for await`. When full the oldest item goes, counted in `dropped`: for live media, where the newest
 * matters. One reader at a time.
 */
export class BoundedQueue<Item> implements AsyncIterable<Item> {
  readonly #capacity: number;
  readonly #items: Item[] = [];
  /** Who asked while there was nothing, in order. */
  readonly #waiting: ((result: IteratorResult<Item, undefined>) => void)[] = [];
  #ended = false;
  #dropped = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Items dropped because nobody read them in time. */
  get dropped(): number {
    return this.#dropped;
  }

  push(item: Item): void {
    if (this.#ended) return;
    const deliver = this.#waiting.shift();
    if (deliver !== undefined) {
      deliver({ done: false, value: item });
      return;
    }
    if (this.#items.length >= this.#capacity) {
      this.#items.shift();
      this.#dropped += 1;
    }
    this.#items.push(item);
  }

  /** No more items: readers get what is left, then the end. Idempotent. */
  end(): void {
    this.#ended = true;
    for (const deliver of this.#waiting.splice(0)) deliver({ done: true, value: undefined });
  }

  /** Takes out what waits and is not wanted; it does not count as dropped. */
  keepOnly(isWanted: (item: Item) => boolean): void {
    const wanted = this.#items.filter(isWanted);
    this.#items.length = 0;
    this.#items.push(...wanted);
  }

  [Symbol.asyncIterator](): AsyncIterator<Item, undefined> {
    return {
      next: () => {
        const item = this.#items.shift();
        if (item !== undefined) return Promise.resolve({ done: false, value: item });
        if (this.#ended) return Promise.resolve({ done: true, value: undefined });
        return new Promise((resolve) => this.#waiting.push(resolve));
      },
      return: () => {
        this.end();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }
}
