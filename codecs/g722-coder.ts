/**
 * The arithmetic of G.722 (ITU-T G.722, at 64 kbit/s): 16 kHz in two bands of 8 kHz, the lower in 6 bits a sample and the higher in 2, so one
 * byte for two samples. Bit for bit as the recommendation counts.
 */
import { G722Band, HIGHER_BAND, LOWER_BAND, saturate } from "./g722-band.ts";

/** PCM to bytes. */
export class G722Encoder {
  readonly #lower = new G722Band(LOWER_BAND);
  readonly #higher = new G722Band(HIGHER_BAND);
  /** The last samples, oldest first. */
  readonly #line = new Int32Array(FILTER_SAMPLES);

  /** Two samples for each byte of `into`. */
  encode(pcm: Int16Array, into: Uint8Array): void {
    for (let at = 0; at < into.length; at++) {
      into[at] = this.#pair(pcm[2 * at] as number, pcm[2 * at + 1] as number);
    }
  }

  #pair(first: number, second: number): number {
    push(this.#line, first, second);
    const even = filtered(this.#line, 0);
    const odd = filtered(this.#line, 1);
    const low = quantizeLower(saturate(((odd + even) >> 14) - this.#lower.predicted), this.#lower.scale);
    const high = quantizeHigher(saturate(((odd - even) >> 14) - this.#higher.predicted), this.#higher.scale);
    adaptLower(this.#lower, low);
    adaptHigher(this.#higher, high);
    return (high << 6) | low;
  }
}

/** Bytes to PCM. */
export class G722Decoder {
  readonly #lower = new G722Band(LOWER_BAND);
  readonly #higher = new G722Band(HIGHER_BAND);
  readonly #line = new Int32Array(FILTER_SAMPLES);

  /** Two samples of `into` for each byte. */
  decode(bytes: Uint8Array, into: Int16Array): void {
    for (let at = 0; at < bytes.length; at++) {
      const code = bytes[at] as number;
      const low = this.#lowerSignal(code & 0x3f);
      const high = this.#higherSignal(code >> 6);
      push(this.#line, low + high, low - high);
      into[2 * at] = saturate(filtered(this.#line, 1) >> 11);
      into[2 * at + 1] = saturate(filtered(this.#line, 0) >> 11);
    }
  }

  #lowerSignal(code: number): number {
    const { predicted, scale } = this.#lower;
    const signal = to15Bits(predicted + ((scale * (LOWER_VALUES_6[code] as number)) >> 15));
    adaptLower(this.#lower, code);
    return signal;
  }

  #higherSignal(code: number): number {
    const { predicted, scale } = this.#higher;
    const signal = to15Bits(predicted + ((scale * (HIGHER_VALUES[code] as number)) >> 15));
    adaptHigher(this.#higher, code);
    return signal;
  }
}

/** Code of a difference in the lower band, 6 bits. */
function quantizeLower(difference: number, scale: number): number {
  const size = difference >= 0 ? difference : ~difference;
  let level = 1;
  while (level < LOWER_DECISIONS.length && size >= ((LOWER_DECISIONS[level] as number) * scale) >> 12)
    level++;
  // The codes of positive differences fall from 61; of negative ones, the two smallest are 63 and 62 and the rest falls from 31.
  if (difference >= 0) return 62 - level;
  return level <= 2 ? 64 - level : 34 - level;
}

/** Code of a difference in the higher band, 2 bits. */
function quantizeHigher(difference: number, scale: number): number {
  const size = difference >= 0 ? difference : ~difference;
  const isLarge = size >= (HIGHER_DECISION * scale) >> 12;
  if (difference >= 0) return isLarge ? 2 : 3;
  return isLarge ? 0 : 1;
}

/** The lower band follows the four upper bits of its codes alone: a decoder of fewer bits keeps in step. */
function adaptLower(band: G722Band, code: number): void {
  const value = LOWER_VALUES_4[code >> 2] as number;
  band.adapt((band.scale * value) >> 15, LOWER_STEPS[code >> 2] as number);
}

function adaptHigher(band: G722Band, code: number): void {
  const value = HIGHER_VALUES[code] as number;
  band.adapt((band.scale * value) >> 15, HIGHER_STEPS[code] as number);
}

function push(line: Int32Array, first: number, second: number): void {
  line.copyWithin(0, 2);
  line[FILTER_SAMPLES - 2] = first;
  line[FILTER_SAMPLES - 1] = second;
}

/** Every second sample of `line` from `offset` through its half of the quadrature mirror filter. */
function filtered(line: Int32Array, offset: 0 | 1): number {
  let sum = 0;
  for (let at = 0; at < FILTER.length; at++) {
    const weight = FILTER[offset === 0 ? at : FILTER.length - 1 - at] as number;
    sum += weight * (line[2 * at + offset] as number);
  }
  return sum;
}

function to15Bits(value: number): number {
  return value > 16_383 ? 16_383 : value < -16_384 ? -16_384 : value;
}

/** Quadrature mirror filter (table 11): the taps with even numbers; those with odd numbers are the same backwards. */
const FILTER = Int32Array.of(3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11);
const FILTER_SAMPLES = 24;
/** Decision levels of the lower band's quantizer in 6 bits (table 14); a difference lies between one and the next. */
const LOWER_DECISIONS = Int32Array.of(
  ...[0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940],
  ...[1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919],
);
/** Output values of the lower band's quantizer for one sign, in 6 bits and in 4 (tables 17 and 18), the largest first. */
const SIZES_6 = [
  ...[24_808, 21_904, 19_008, 16_704, 14_984, 13_512, 12_280, 11_192, 10_232, 9360, 8576, 7856, 7192, 6576],
  ...[6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728],
];
const SIZES_4 = [20_456, 12_896, 8968, 6288, 4240, 2584, 1200];
const LOWER_VALUES_6 = Int32Array.of(
  ...[-136, -136, -136, -136, ...SIZES_6.map((size) => -size)],
  ...[...SIZES_6, 432, 136, -432, -136],
);
const LOWER_VALUES_4 = Int32Array.of(0, ...SIZES_4.map((size) => -size), ...SIZES_4, 0);
/** By how much a code moves the logarithm of the scale (tables 16 and 20). */
const STEPS_4 = [3042, 1198, 538, 334, 172, 58, -30];
const LOWER_STEPS = Int32Array.of(-60, ...STEPS_4, ...STEPS_4, -60);
const HIGHER_DECISION = 564;
const HIGHER_VALUES = Int32Array.of(-7408, -1616, 7408, 1616);
const HIGHER_STEPS = Int32Array.of(798, -214, 798, -214);
