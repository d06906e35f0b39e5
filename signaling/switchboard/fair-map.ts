import { Fullest } from "./fullest.ts";

/**
 * A map that forgets like `FadingMap`, but at its cap the oldest entry of whoever has most in it: who fills it forgets what is
 * its own, and takes nothing from others that have less.
 */
export class FairMap<V> {
  readonly #cap: number;
  readonly #keep: number;
  /** Insertion order is age: all entries are kept equally long. */
  readonly #entries = new Map<
    string,
    { readonly value: V; readonly owner: string; readonly until: number }
  >();
  readonly #keys = new Map<string, Set<string>>();
  readonly #shares = new Fullest<string>();

  /** At most `cap` entries, each kept `keep` milliseconds from its `set`. */
  constructor(cap: number, keep: number) {
    this.#cap = cap;
    this.#keep = keep;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string, now: number): V | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && entry.until > now ? entry.value : undefined;
  }

  set(key: string, owner: string, value: V, now: number): void {
    this.#delete(key);
    this.#entries.set(key, { value, owner, until: now + this.#keep });
    const keys = this.#keys.get(owner) ?? new Set();
    this.#keys.set(owner, keys.add(key));
    this.#shares.set(owner, keys.size - 1, keys.size);
    for (const [oldest, { until }] of this.#entries) {
      if (until > now) break;
      this.#delete(oldest);
    }
    if (this.#entries.size <= this.#cap) return;
    const fullest = this.#shares.fullest;
    const [oldest] = (fullest === undefined ? undefined : this.#keys.get(fullest)) ?? [];
    if (oldest !== undefined) this.#delete(oldest);
  }

  #delete(key: string): void {
    const owner = this.#entries.get(key)?.owner;
    const keys = owner === undefined ? undefined : this.#keys.get(owner);
    if (owner === undefined || keys === undefined) return;
    this.#entries.delete(key);
    keys.delete(key);
    this.#shares.set(owner, keys.size + 1, keys.size);
    if (keys.size === 0) this.#keys.delete(owner);
  }
}
