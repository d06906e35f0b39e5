/** Milliseconds that one bucket covers. */
const BUCKET = 50;
/** Buckets: together the longest window. */
const BUCKETS = 20;

/** How many bits a second went by lately. Takes bytes in about the order of their times; allocates nothing. */
export class RateMeter {
  readonly #bytes = new Float64Array(BUCKETS);
  #newest = Number.NEGATIVE_INFINITY;

  add(bytes: number, at: number): void {
    const bucket = Math.floor(at / BUCKET);
    if (bucket > this.#newest) this.#forward(bucket);
    else if (bucket <= this.#newest - BUCKETS) return;
    this.#bytes[index(bucket)] = (this.#bytes[index(bucket)] as number) + bytes;
  }

  /** Bits a second over the last whole buckets before the one of `at`, `window` milliseconds of them. */
  rate(at: number, window: number): number {
    const last = Math.floor(at / BUCKET) - 1;
    const count = Math.min(BUCKETS - 1, Math.round(window / BUCKET));
    let sum = 0;
    for (let bucket = last - count + 1; bucket <= last; bucket += 1)
      if (bucket <= this.#newest && bucket > this.#newest - BUCKETS)
        sum += this.#bytes[index(bucket)] as number;
    return (sum * 8_000) / (count * BUCKET);
  }

  /** Forgets everything: times begin anew. */
  reset(): void {
    this.#newest = Number.NEGATIVE_INFINITY;
  }

  #forward(bucket: number): void {
    const cleared = Math.min(BUCKETS, bucket - this.#newest);
    for (let each = bucket - cleared + 1; each <= bucket; each += 1) this.#bytes[index(each)] = 0;
    this.#newest = bucket;
  }
}

function index(bucket: number): number {
  return ((bucket % BUCKETS) + BUCKETS) % BUCKETS;
}
