import {
  build,
  decodeFromCompressedBase64,
  encodeIntoCompressedBase64,
  type Histogram,
} from "hdr-histogram-js";

/** Percentiles of times between 1 us and 60 s, to three significant digits; longer ones count as 60 s. */
export class Latencies {
  readonly #histogram: Histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: LONGEST_US,
    numberOfSignificantValueDigits: 3,
    autoResize: false,
  });

  /** Takes one time in milliseconds. Below zero, which two readings of a clock can give, counts as zero. */
  record(milliseconds: number): void {
    this.#histogram.recordValue(Math.min(LONGEST_US, Math.max(0, Math.round(milliseconds * 1_000))));
  }

  get count(): number {
    return this.#histogram.totalCount;
  }

  /** Milliseconds that `share` (0..1) of the times do not exceed; NaN when nothing was recorded. */
  percentile(share: number): number {
    if (this.#histogram.totalCount === 0) return Number.NaN;
    return this.#histogram.getValueAtPercentile(share * 100) / 1_000;
  }

  /** All that was recorded, as text that `add` of another process takes. */
  encode(): string {
    return encodeIntoCompressedBase64(this.#histogram);
  }

  /** Takes what another recorded. */
  add(encoded: string): void {
    this.#histogram.add(decodeFromCompressedBase64(encoded));
  }

  summary(): LatencySummary {
    return {
      count: this.count,
      p50: this.percentile(0.5),
      p95: this.percentile(0.95),
      p99: this.percentile(0.99),
      max: this.percentile(1),
    };
  }
}

/** Milliseconds; NaN, which JSON makes `null`, when nothing was recorded. */
export interface LatencySummary {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

const LONGEST_US = 60_000_000;
