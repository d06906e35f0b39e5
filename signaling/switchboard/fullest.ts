/** Things by how much each holds, so that the fullest is found without a search. */
export class Fullest<T> {
  /** By count: those that hold as much, longest first. */
  readonly #byCount: Set<T>[] = [];
  #most = 0;
  #total = 0;

  /** What all hold together. */
  get total(): number {
    return this.#total;
  }

  /** This one, which held `before`, holds `count` now. */
  set(thing: T, before: number, count: number): void {
    if (before === count) return;
    this.#total += count - before;
    this.#byCount[before]?.delete(thing);
    while (this.#byCount.length <= count) this.#byCount.push(new Set());
    if (count > 0) this.#byCount[count]?.add(thing);
    this.#most = Math.max(this.#most, count);
    while (this.#most > 0 && this.#byCount[this.#most]?.size === 0) this.#most--;
  }

  get fullest(): T | undefined {
    return this.#byCount[this.#most]?.values().next().value;
  }
}
