/** Counts by bucket: cheap enough to be fed by every frame, read when somebody asks. */
export class BucketCounts {
  readonly #bounds: Float64Array;
  readonly #counts: Float64Array;
  #sum = 0;

  /** Upper bounds, ascending, seconds. */
  constructor(bounds: readonly number[]) {
    this.#bounds = Float64Array.from(bounds);
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(ms: number): void {
    const seconds = ms / 1000;
    const bounds = this.#bounds;
    let index = 0;
    while (index < bounds.length && seconds > (bounds[index] as number)) index++;
    this.#counts[index] = (this.#counts[index] as number) + 1;
    this.#sum += seconds;
  }

  /** Cumulative counts by upper bound, then all, and the sum. */
  read(): {
    readonly le: readonly (readonly [string, number])[];
    readonly count: number;
    readonly sum: number;
  } {
    let count = 0;
    const le = [...this.#counts].map((observed, index) => {
      count += observed;
      const bound = this.#bounds[index];
      return [bound === undefined ? "+Inf" : String(bound), count] as const;
    });
    return { le, count, sum: this.#sum };
  }
}
