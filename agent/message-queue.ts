/**
 * Items that must all be read, in order: a writer that finds it full waits for room. Readers share it, each item goes to one of
 * them, and one that stops reading leaves the rest to the next.
 */
export class MessageQueue<Item> implements AsyncIterable<Item> {
  readonly #capacity: number;
  readonly #items: Item[] = [];
  readonly #readers: PromiseWithResolvers<IteratorResult<Item, undefined>>[] = [];
  #room: PromiseWithResolvers<void> | undefined;
  #ended = false;
  #failure: Error | undefined;

  /** Items beyond `capacity` make the writer wait. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Items nobody has read. */
  get size(): number {
    return this.#items.length;
  }

  /** Adds one; `undefined` when there is room for more, else what resolves when there is. An ended queue takes nothing. */
  push(item: Item): Promise<void> | undefined {
    if (this.#ended) return undefined;
    const reader = this.#readers.shift();
    if (reader !== undefined) {
      reader.resolve({ done: false, value: item });
      return undefined;
    }
    this.#items.push(item);
    if (this.#items.length < this.#capacity) return undefined;
    this.#room ??= Promise.withResolvers<void>();
    return this.#room.promise;
  }

  /** No more items: readers get what is left, then the end, or `failure` thrown. Idempotent. */
  end(failure?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#room?.resolve();
    for (const reader of this.#readers.splice(0)) {
      if (failure === undefined) reader.resolve({ done: true, value: undefined });
      else reader.reject(failure);
    }
  }

  [Symbol.asyncIterator](): AsyncIterator<Item, undefined> {
    return { next: () => this.#next(), return: async () => ({ done: true, value: undefined }) };
  }

  #next(): Promise<IteratorResult<Item, undefined>> {
    const item = this.#items.shift();
    if (item !== undefined) {
      if (this.#items.length < this.#capacity) {
        this.#room?.resolve();
        this.#room = undefined;
      }
      return Promise.resolve({ done: false, value: item });
    }
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    const reader = Promise.withResolvers<IteratorResult<Item, undefined>>();
    this.#readers.push(reader);
    return reader.promise;
  }
}
