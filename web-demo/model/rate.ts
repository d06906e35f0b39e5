/** How fast a count grows. */

/** Over how long a rate is taken, ms. */
const OVER_MS = 2_000;

export class Rate {
  #looks: { readonly at: number; readonly total: number }[] = [];

  /** The count a second lately, where it is `total` at `now`, monotonic milliseconds; undefined for the first look. */
  at(total: number, now: number): number | undefined {
    this.#looks = [...this.#looks.filter(({ at }) => now - at <= OVER_MS), { at: now, total }];
    const [first] = this.#looks;
    if (first === undefined || first.at === now) return undefined;
    return ((total - first.total) * 1_000) / (now - first.at);
  }
}
