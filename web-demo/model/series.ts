/** A measured quantity over the last while: what a small chart shows. */

export interface Sample {
  /** Monotonic milliseconds. */
  readonly at: number;
  readonly value: number;
}

/** How far back a series reaches, ms. Older samples go. */
export const SERIES_MS = 60_000;
/** A longer time without a sample is a gap, ms. */
const GAP_MS = 2_000;
/** Samples kept at most, whatever their times; the oldest goes. */
const SAMPLES = 600;

export class Series {
  #samples: Sample[] = [];

  get latest(): number | undefined {
    return this.#samples.at(-1)?.value;
  }

  /** Adds a sample; what is not a number says nothing and is left out. */
  add(at: number, value: number | undefined): void {
    if (value === undefined || !Number.isFinite(value)) return;
    this.#samples.push({ at, value });
    const first = this.#samples.findIndex((sample) => at - sample.at <= SERIES_MS);
    this.#samples.splice(0, Math.max(first, this.#samples.length - SAMPLES));
  }

  /** The samples of the last while as runs: where nothing was measured for two seconds a new one begins. */
  runs(now: number): readonly (readonly Sample[])[] {
    const runs: Sample[][] = [];
    for (const sample of this.#samples) {
      if (now - sample.at > SERIES_MS) continue;
      const run = runs.at(-1);
      const before = run?.at(-1);
      if (run === undefined || before === undefined || sample.at - before.at > GAP_MS) runs.push([sample]);
      else run.push(sample);
    }
    return runs;
  }

  /** Top of the chart: the highest sample, rounded up to 1, 2 or 5 times a power of ten, and at least `floor`. */
  ceiling(floor: number): number {
    const highest = this.#samples.reduce((top, { value }) => Math.max(top, value), 0);
    if (highest <= floor) return floor;
    const power = 10 ** Math.floor(Math.log10(highest));
    return [1, 2, 5, 10].map((step) => step * power).find((top) => top >= highest) ?? highest;
  }
}

/** Tells loss by counters that only rise. */
export class LossMeter {
  #before = { heard: 0, missing: 0 };

  /** Share of what was due since the look before that is missing, in percent; undefined when nothing was due. */
  look(now: { readonly heard: number; readonly missing: number }): number | undefined {
    const missing = now.missing - this.#before.missing;
    const due = now.heard - this.#before.heard + missing;
    this.#before = now;
    return due <= 0 ? undefined : (100 * missing) / due;
  }
}
