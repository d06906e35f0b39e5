/** One band of G.722 (ITU-T G.722 clause 6.2): its adaptive predictor and the scale of its quantizer. */

/** What differs between the two bands: how fast the scale follows, and how far. */
export interface BandShape {
  /** Scale that a band begins with. */
  readonly initialScale: number;
  /** Highest logarithm of the scale. */
  readonly highestLog: number;
  /** Shift of the scale's mantissa at logarithm 0. */
  readonly scaleShift: number;
}

export const LOWER_BAND: BandShape = { initialScale: 32, highestLog: 18_432, scaleShift: 8 };
export const HIGHER_BAND: BandShape = { initialScale: 8, highestLog: 22_528, scaleShift: 10 };

/**
 * The state that encoder and decoder keep alike. Integers throughout, as the recommendation counts: all that is kept fits 16 bits, and
 * right shifts round down.
 */
export class G722Band {
  /** The predicted signal. */
  predicted = 0;
  /** The quantizer's scale. */
  scale: number;
  readonly #shape: BandShape;
  /** Logarithm of the scale. */
  #log = 0;
  /** What the zeros predict alone. */
  #fromZeros = 0;
  /** Two poles, six zeros. */
  readonly #poles = new Int32Array(2);
  readonly #zeros = new Int32Array(6);
  /** The last two reconstructed signals, the last two partly reconstructed ones, the last six differences, newest first. */
  readonly #reconstructed = new Int32Array(2);
  readonly #partial = new Int32Array(2);
  readonly #differences = new Int32Array(6);

  constructor(shape: BandShape) {
    this.#shape = shape;
    this.scale = shape.initialScale;
  }

  /** Goes on by one sample: `difference` as the quantizer gave it back, and the step by which that changes the scale's logarithm. */
  adapt(difference: number, step: number): void {
    const { highestLog, scaleShift } = this.#shape;
    this.#log = Math.min(highestLog, Math.max(0, ((this.#log * 127) >> 7) + step));
    const mantissa = SCALE_MANTISSAS[(this.#log >> 6) & 31] as number;
    const shift = scaleShift - (this.#log >> 11);
    this.scale = (shift < 0 ? mantissa << -shift : mantissa >> shift) << 2;

    const partial = saturate(this.#fromZeros + difference);
    const reconstructed = saturate(this.predicted + difference);
    this.#adaptPoles(partial);
    this.#adaptZeros(difference);
    shiftIn(this.#reconstructed, reconstructed);
    shiftIn(this.#partial, partial);
    shiftIn(this.#differences, difference);
    this.#predict();
  }

  #adaptPoles(partial: number): void {
    const [first, second] = this.#poles as unknown as [number, number];
    const [last, before] = this.#partial as unknown as [number, number];
    const agrees = partial < 0 === last < 0;
    const wide = saturate(first << 2);
    const toward = agrees ? Math.min(-wide, 32_767) : wide;
    const kept = (second * 32_512) >> 15;
    const secondPole = clamp((toward >> 7) + (partial < 0 === before < 0 ? 128 : -128) + kept, 12_288);
    const firstPole = saturate((agrees ? 192 : -192) + ((first * 32_640) >> 15));
    this.#poles[0] = clamp(firstPole, saturate(15_360 - secondPole));
    this.#poles[1] = secondPole;
  }

  #adaptZeros(difference: number): void {
    const step = difference === 0 ? 0 : 128;
    for (let at = 0; at < this.#zeros.length; at++) {
      const agrees = (this.#differences[at] as number) < 0 === difference < 0;
      const kept = ((this.#zeros[at] as number) * 32_640) >> 15;
      this.#zeros[at] = saturate((agrees ? step : -step) + kept);
    }
  }

  #predict(): void {
    let fromPoles = 0;
    for (let at = 0; at < this.#poles.length; at++) {
      const twice = saturate(2 * (this.#reconstructed[at] as number));
      fromPoles += ((this.#poles[at] as number) * twice) >> 15;
    }
    let fromZeros = 0;
    for (let at = 0; at < this.#zeros.length; at++) {
      const twice = saturate(2 * (this.#differences[at] as number));
      fromZeros += ((this.#zeros[at] as number) * twice) >> 15;
    }
    this.#fromZeros = saturate(fromZeros);
    this.predicted = saturate(saturate(fromPoles) + this.#fromZeros);
  }
}

/** To 16 bits. */
export function saturate(value: number): number {
  return value > 32_767 ? 32_767 : value < -32_768 ? -32_768 : value;
}

function clamp(value: number, limit: number): number {
  return value > limit ? limit : value < -limit ? -limit : value;
}

function shiftIn(line: Int32Array, value: number): void {
  line.copyWithin(1, 0, line.length - 1);
  line[0] = value;
}

/** Powers of two in 32 steps, times 2,048 (table 15 of the recommendation). */
const SCALE_MANTISSAS = Int32Array.from({ length: 32 }, (_, step) => Math.round(2048 * 2 ** (step / 32)));
