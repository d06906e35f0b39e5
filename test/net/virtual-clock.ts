import type { Clock } from "../../codecs/clock.ts";

interface Timer {
  readonly at: number;
  /** Order of being set: timers of one instant fire in it. */
  readonly order: number;
  fire: (() => void) | undefined;
}

/** Work that takes real time. */
interface RealWork {
  /** Settles with it, and never fails. */
  readonly done: Promise<unknown>;
  /** Lets whoever asked for it have what it came to. */
  readonly handOut: () => void;
}

/**
 * Time that moves only when told to. Timers fire in order of their time, then of being set, and every promise job that a
 * timer causes runs before the next timer: asynchronous code sees the same interleaving in every run. What takes real time
 * is no exception where it goes through {@link VirtualClock.real}.
 */
export class VirtualClock implements Clock {
  #now: number;
  #wallOffset: number;
  readonly #heap: Timer[] = [];
  #order = 0;
  #alive = 0;
  /** In the order in which it was begun. */
  readonly #realWork: RealWork[] = [];

  /** `now` is where the monotonic time starts (default 0), `wall` the Unix time in milliseconds at that instant. */
  constructor(options: { readonly now?: number; readonly wall?: number } = {}) {
    this.#now = options.now ?? 0;
    this.#wallOffset = (options.wall ?? DEFAULT_WALL) - this.#now;
  }

  now(): number {
    return this.#now;
  }

  wall(): number {
    return this.#now + this.#wallOffset;
  }

  /** The machine's clock is set: wall time jumps by `ms`, monotonic time goes on. */
  stepWall(ms: number): void {
    this.#wallOffset += ms;
  }

  at(at: number, fire: () => void): () => void {
    const timer: Timer = { at, order: this.#order++, fire };
    this.#push(timer);
    this.#alive++;
    return () => {
      if (timer.fire === undefined) return;
      timer.fire = undefined;
      this.#alive--;
    };
  }

  /** Timers set and neither fired nor cancelled. */
  get pending(): number {
    return this.#alive;
  }

  /** Lets `ms` pass. */
  advance(ms: number): Promise<void> {
    return this.run(this.#now + ms);
  }

  /** Lets time pass until `now()` is `until`, firing what falls due, timers at `until` itself included. */
  async run(until: number): Promise<void> {
    await this.settle();
    for (let timer = this.#due(until); timer !== undefined; timer = this.#due(until)) {
      this.#fire(timer);
      await this.settle();
    }
    this.#now = Math.max(this.#now, until);
  }

  /** The same without running promise jobs: for pure code, which has none, and much faster. */
  runSync(until: number): void {
    for (let timer = this.#due(until); timer !== undefined; timer = this.#due(until)) this.#fire(timer);
    this.#now = Math.max(this.#now, until);
  }

  /** Runs every promise job there is, those after real work included, without moving time. */
  async settle(): Promise<void> {
    await allJobs();
    for (let first = this.#realWork[0]; first !== undefined; first = this.#realWork[0]) {
      await first.done;
      // Whoever else settles this clock may have handed it out meanwhile.
      if (first === this.#realWork[0]) this.#realWork.shift()?.handOut();
      await allJobs();
    }
  }

  /**
   * What `work` comes to that takes real time, as reading a file or compiling does, but none of this clock's: time stands still until it is
   * done. What was begun first is handed out first, and all that follows from it happens before the next. `settle()` does it, and whatever
   * moves time; `work` must not wait for other work of this kind.
   */
  async real<Result>(work: Promise<Result>): Promise<Result> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#realWork.push({ done: Promise.allSettled([work]), handOut: resolve });
    await promise;
    return await work;
  }

  #fire(timer: Timer): void {
    const fire = timer.fire;
    if (fire === undefined) return;
    this.#now = Math.max(this.#now, timer.at);
    timer.fire = undefined;
    this.#alive--;
    fire();
  }

  /** Takes the next living timer that is due by `until` from the heap. */
  #due(until: number): Timer | undefined {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || (first.fire !== undefined && first.at > until)) return undefined;
      this.#pop();
      if (first.fire !== undefined) return first;
    }
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let index = heap.push(timer) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent] as Timer;
      if (!before(timer, above)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Timer;
    if (heap.length === 0) return;
    let index = 0;
    for (;;) {
      const left = 2 * index + 1;
      const right = left + 1;
      const leftTimer = heap[left];
      const rightTimer = heap[right];
      if (leftTimer === undefined) break;
      const smaller = rightTimer !== undefined && before(rightTimer, leftTimer) ? right : left;
      const child = heap[smaller] as Timer;
      if (!before(child, last)) break;
      heap[index] = child;
      index = smaller;
    }
    heap[index] = last;
  }
}

/** Runs every promise job there is. */
function allJobs(): Promise<void> {
  // The immediate phase begins only when the queues of promise jobs and next ticks are empty.
  return new Promise((resolve) => setImmediate(resolve));
}

function before(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** 2026-01-01T00:00:00Z, so that unconfigured clocks give plausible dates. */
const DEFAULT_WALL = 1_767_225_600_000;
