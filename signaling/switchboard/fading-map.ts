/**
 * A map that forgets: an entry goes when its time is up, and the oldest goes when the cap is reached. What it holds must
 * therefore be a convenience (an answer told again, a name remembered), never a right.
 */
export class FadingMap<K, V> {
  readonly #cap: number;
  readonly #keep: number;
  readonly #entries = new Map<K, { readonly value: V; readonly until: number }>();

  /** At most `cap` entries, each kept `keep` milliseconds from its `set`. */
  constructor(cap: number, keep: number) {
    this.#cap = cap;
    this.#keep = keep;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: K, now: number): V | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && entry.until > now ? entry.value : undefined;
  }

  set(key: K, value: V, now: number): void {
    this.#entries.delete(key);
    this.#entries.set(key, { value, until: now + this.#keep });
    // Insertion order is age: all entries are kept equally long.
    for (const [oldest, entry] of this.#entries) {
      if (entry.until > now && this.#entries.size <= this.#cap) break;
      this.#entries.delete(oldest);
    }
  }
}
