/** Zero crossings of the kernel on each side. */
const LOBES = 16;
/** Share of the lower rate's band that is kept, so that the kernel's slope lies inside it. */
const BAND = 0.92;

/**
 * Mono PCM at another rate, any stretch of it at a time: a sinc under a Hann window for each output sample, its band cut to
 * the lower of both rates. The kernels of all phases are made once.
 */
export class Resampler {
  readonly #from: number;
  readonly #to: number;
  readonly #reach: number;
  /** One kernel a phase, `taps` values each. */
  readonly #kernels: Float32Array;
  readonly #taps: number;

  /** Rates in Hz. */
  constructor(from: number, to: number) {
    const divisor = greatestCommonDivisor(from, to);
    this.#from = from / divisor;
    this.#to = to / divisor;
    const cutoff = BAND * Math.min(1, to / from);
    this.#reach = Math.ceil(LOBES / cutoff);
    this.#taps = 2 * this.#reach;
    this.#kernels = new Float32Array(this.#to * this.#taps);
    for (let phase = 0; phase < this.#to; phase += 1) {
      for (let tap = 0; tap < this.#taps; tap += 1) {
        const distance = tap - this.#reach + 1 - phase / this.#to;
        this.#kernels[phase * this.#taps + tap] = kernel(distance, cutoff, this.#reach);
      }
    }
  }

  /** Samples that `length` samples become. */
  lengthOf(length: number): number {
    return Math.round((length * this.#to) / this.#from);
  }

  /** Output samples from `start` up to `end` of what `pcm` becomes. */
  stretch(pcm: Int16Array, start: number, end: number): Int16Array {
    if (this.#from === this.#to) return pcm.slice(start, end);
    const out = new Int16Array(Math.max(0, end - start));
    for (let index = 0; index < out.length; index += 1) {
      const place = (start + index) * this.#from;
      const first = Math.floor(place / this.#to) - this.#reach + 1;
      const base = (place % this.#to) * this.#taps;
      let sum = 0;
      for (let tap = Math.max(0, -first); tap < this.#taps && first + tap < pcm.length; tap += 1) {
        sum += (pcm[first + tap] as number) * (this.#kernels[base + tap] as number);
      }
      out[index] = Math.max(-32768, Math.min(32767, Math.round(sum)));
    }
    return out;
  }
}

/** All of `pcm` at another rate. */
export function resample(pcm: Int16Array, from: number, to: number): Int16Array {
  const resampler = new Resampler(from, to);
  return resampler.stretch(pcm, 0, resampler.lengthOf(pcm.length));
}

function kernel(distance: number, cutoff: number, reach: number): number {
  if (Math.abs(distance) >= reach) return 0;
  const x = Math.PI * distance * cutoff;
  const sinc = distance === 0 ? 1 : Math.sin(x) / x;
  return cutoff * sinc * (0.5 + 0.5 * Math.cos((Math.PI * distance) / reach));
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
