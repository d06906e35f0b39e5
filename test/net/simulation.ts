/** Something that happens at a time. */
interface Happening {
  readonly at: number;
  readonly order: number;
  readonly run: (now: number) => void;
}

/** Virtual time for networks of many packets: whatever was put at a time runs then, in the order in which it was put there. */
export class Simulation {
  readonly #heap: Happening[] = [];
  #order = 0;
  #now = 0;

  /** Milliseconds. */
  get now(): number {
    return this.#now;
  }

  /** Runs `run` at `at`, or now where that is past. */
  at(at: number, run: (now: number) => void): void {
    const heap = this.#heap;
    const happening = { at: Math.max(at, this.#now), order: this.#order, run };
    this.#order += 1;
    let place = heap.length;
    heap.push(happening);
    while (place > 0) {
      const above = (place - 1) >>> 1;
      const other = heap[above] as Happening;
      if (!isBefore(happening, other)) break;
      heap[place] = other;
      place = above;
    }
    heap[place] = happening;
  }

  /** Runs everything up to `until`. */
  runTo(until: number): void {
    for (let next = this.#heap[0]; next !== undefined && next.at <= until; next = this.#heap[0]) {
      this.#takeFirst();
      this.#now = next.at;
      next.run(next.at);
    }
    this.#now = until;
  }

  #takeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop() as Happening;
    if (heap.length === 0) return;
    let place = 0;
    for (let below = 1; below < heap.length; below = 2 * place + 1) {
      const right = heap[below + 1];
      if (right !== undefined && isBefore(right, heap[below] as Happening)) below += 1;
      const other = heap[below] as Happening;
      if (!isBefore(other, last)) break;
      heap[place] = other;
      place = below;
    }
    heap[place] = last;
  }
}

function isBefore(one: Happening, other: Happening): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}
