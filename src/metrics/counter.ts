/** Label values apart from the metric's others, e.g. `{ carrier: "webtransport" }`. */
export type Labels = Readonly<Record<string, string>>;

/** A number for one combination of labels. */
export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

/**
 * Counts by label values. At most {@link MAX_COMBINATIONS}: a further one is counted as `OTHER` in every label, so that what
 * strangers send cannot grow it.
 */
export class LabelledCounter {
  readonly #names: readonly string[];
  readonly #counts = new Map<string, { readonly labels: Labels; value: number }>();

  constructor(names: readonly string[]) {
    this.#names = names;
  }

  add(...values: readonly string[]): void {
    const key = values.join("\0");
    let count = this.#counts.get(key);
    if (count === undefined) {
      const isFull = this.#counts.size >= MAX_COMBINATIONS && values.some((value) => value !== "OTHER");
      if (isFull) {
        this.add(...values.map(() => "OTHER"));
        return;
      }
      count = {
        labels: Object.fromEntries(this.#names.map((name, at) => [name, values[at] ?? ""])),
        value: 0,
      };
      this.#counts.set(key, count);
    }
    count.value++;
  }

  read(): Sample[] {
    return [...this.#counts.values()].map(({ labels, value }) => ({ labels, value }));
  }
}

/** Combinations of one counter's labels. */
const MAX_COMBINATIONS = 500;
