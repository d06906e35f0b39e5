import { BoundedQueue } from "../sfu/bounded-queue.ts";

/** Who reads what is heard: each reader gets all of it from when it began to read, the first one also what came before. */
export class HeardReaders<Item> {
  readonly #capacity: number;
  /** What comes before anybody reads. */
  #preroll: BoundedQueue<Item> | undefined;
  readonly #queues = new Map<BoundedQueue<Item>, (item: Item) => boolean>();
  #isFinished = false;

  /** So many items are kept for a reader that is slow or has not begun; the oldest goes. */
  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#preroll = new BoundedQueue(capacity);
  }

  /** Whether anybody has begun to read. */
  get isRead(): boolean {
    return this.#preroll === undefined;
  }

  /** Items that were dropped because a reader, or the first one to come, was too slow. */
  get dropped(): number {
    let dropped = this.#preroll?.dropped ?? 0;
    for (const queue of this.#queues.keys()) dropped += queue.dropped;
    return dropped;
  }

  /** Another reader begins, and takes what `isWanted` lets pass. Default: everything. */
  open(isWanted: (item: Item) => boolean = () => true): AsyncIterable<Item> {
    const queue = this.#preroll ?? new BoundedQueue<Item>(this.#capacity);
    this.#preroll = undefined;
    this.#queues.set(queue, isWanted);
    if (this.#isFinished) queue.end();
    queue.keepOnly(isWanted);
    return queue;
  }

  push(item: Item): void {
    this.#preroll?.push(item);
    for (const [queue, isWanted] of this.#queues) if (isWanted(item)) queue.push(item);
  }

  /** Nothing more comes: readers get what is left, then the end. */
  finish(): void {
    this.#isFinished = true;
    for (const queue of this.#queues.keys()) queue.end();
  }
}
