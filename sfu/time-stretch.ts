import { energyOf } from "./pcm-energy.ts";

/** Shortest and longest stretch of sound taken out or put in at once, milliseconds: periods of voices from 400 to 67 Hz. */
const SHORTEST_CUT = 2.5;
const LONGEST_CUT = 15;

/** How long one sound fades into the other where they are joined, milliseconds; a quarter of a frame where that is less. */
const JOINT = 5;

/** Sound this much quieter than what was lately heard is cut anywhere: power as a share. */
const QUIET_SHARE = 0.01;

/** Where in a frame a joint is tried, as shares of where the last could stand. */
const PLACES = [0, 0.25, 0.5, 0.75, 1];

/** By how much the playing time of a frame is to change. */
export interface Adjustment {
  /** Milliseconds: shorter below zero, longer above. */
  readonly ms: number;
  /** How alike the sounds on both sides of the joint must be: 1 the same, 0 nothing in common. Where none are, the frame stays as it is. */
  readonly likeness: number;
}

/**
 * Makes frames of PCM last shorter or longer without changing their pitch (WSOLA): takes out, or says again, one or more
 * periods where the sound goes on as it would have, and fades one side of the joint into the other. Channels are cut at
 * the same place. Give it everything that is put out, in order.
 */
export class TimeStretch {
  readonly #channels: number;
  readonly #clockRate: number;
  /** The end of what was put out: what a frame is lengthened with may begin there. */
  readonly #history: Int16Array;
  /** Power of what was lately heard: rises at once, falls slowly. */
  #power = 0;

  constructor(format: { readonly clockRate: number; readonly channels: number }) {
    this.#channels = format.channels;
    this.#clockRate = format.clockRate;
    this.#history = new Int16Array(this.#samples(LONGEST_CUT) * format.channels);
  }

  /** Takes PCM that is put out as it is. */
  note(pcm: Int16Array): void {
    const { length } = this.#history;
    const power = pcm.length === 0 ? 0 : energyOf(pcm) / pcm.length;
    const seconds = pcm.length / this.#channels / this.#clockRate;
    this.#power = Math.max(power, this.#power * POWER_KEPT ** seconds);
    if (pcm.length >= length) {
      this.#history.set(pcm.subarray(pcm.length - length));
      return;
    }
    this.#history.copyWithin(0, pcm.length);
    this.#history.set(pcm, length - pcm.length);
  }

  /** One frame of interleaved PCM to be put out, adjusted by at most what is asked; the same array where it stays as it is. */
  adjust(pcm: Int16Array, wanted: Adjustment): Int16Array {
    const out = wanted.ms < 0 ? this.#shorter(pcm, wanted) : this.#longer(pcm, wanted);
    this.note(out);
    return out;
  }

  #shorter(pcm: Int16Array, { ms, likeness }: Adjustment): Int16Array {
    const samples = pcm.length / this.#channels;
    const joint = this.#joint(samples);
    const most = Math.min(this.#samples(-ms), this.#samples(LONGEST_CUT), samples - joint);
    const cut = this.#find(pcm, 0, joint, most, likeness, 1);
    return cut === undefined ? pcm : this.#join(pcm, cut.at, cut.at + cut.lag, joint);
  }

  #longer(pcm: Int16Array, { ms, likeness }: Adjustment): Int16Array {
    const before = this.#history.length;
    const whole = new Int16Array(before + pcm.length);
    whole.set(this.#history);
    whole.set(pcm, before);
    const first = before / this.#channels;
    const joint = this.#joint(pcm.length / this.#channels);
    const most = Math.min(this.#samples(ms), first);
    const cut = this.#find(whole, first, joint, most, likeness, -1);
    if (cut === undefined) return pcm;
    return this.#join(whole, cut.at, cut.at - cut.lag, joint).slice(before);
  }

  /**
   * The joint from `from` on where the sound at `at` is most like the one `lag` later (`direction` 1) or earlier (-1), the lag being at most
   * `most` samples; `undefined` where they are less alike than they must be, and not quiet either.
   */
  #find(
    pcm: Int16Array,
    from: number,
    joint: number,
    most: number,
    likeness: number,
    direction: 1 | -1,
  ): { readonly at: number; readonly lag: number } | undefined {
    const least = this.#samples(SHORTEST_CUT);
    if (most < least) return undefined;
    // One place is as good as another.
    if (energyOf(pcm) === 0) return { at: from, lag: most };
    const mono = this.#mono(pcm);
    const step = Math.max(1, Math.round(this.#clockRate / SEARCH_RATE));
    const coarse = thinned(mono, step);
    let best = { at: 0, lag: 0, alike: Number.NEGATIVE_INFINITY };
    const room = mono.length - joint - (direction === 1 ? least : 0) - from;
    for (const share of PLACES) {
      const at = from + Math.floor((room * share) / step) * step;
      const longest = direction === 1 ? Math.min(most, mono.length - joint - at) : most;
      for (let lag = least; lag <= longest; lag += step) {
        const other = at + direction * lag;
        const alike = likenessOf(coarse, at / step, other / step, joint / step);
        if (alike > best.alike) best = { at, lag, alike };
      }
    }
    const { at } = best;
    const longest = direction === 1 ? Math.min(most, mono.length - joint - at) : most;
    let fine = { lag: best.lag, alike: Number.NEGATIVE_INFINITY };
    for (let lag = Math.max(least, best.lag - step); lag <= Math.min(longest, best.lag + step); lag += 1) {
      const alike = likenessOf(mono, at, at + direction * lag, joint);
      if (alike > fine.alike) fine = { lag, alike };
    }
    if (fine.alike >= likeness || this.#isQuiet(mono, at, at + direction * fine.lag, joint)) {
      return { at, lag: fine.lag };
    }
    return undefined;
  }

  #isQuiet(mono: Float32Array, one: number, other: number, joint: number): boolean {
    const most = this.#power * QUIET_SHARE;
    const power = (at: number) => powerOf(mono.subarray(at, at + joint));
    return power(one) <= most && power(other) <= most;
  }

  /** What stands before `at`, fading within `joint` into what stands from `to` on. */
  #join(pcm: Int16Array, at: number, to: number, joint: number): Int16Array {
    const channels = this.#channels;
    const out = new Int16Array(pcm.length - (to - at) * channels);
    out.set(pcm.subarray(0, at * channels));
    for (let index = 0; index < joint * channels; index += 1) {
      const share = (Math.floor(index / channels) + 0.5) / joint;
      const leaving = pcm[at * channels + index] as number;
      const coming = pcm[to * channels + index] as number;
      out[at * channels + index] = Math.round(leaving + (coming - leaving) * share);
    }
    out.set(pcm.subarray((to + joint) * channels), (at + joint) * channels);
    return out;
  }

  #mono(pcm: Int16Array): Float32Array {
    const channels = this.#channels;
    if (channels === 1) return Float32Array.from(pcm);
    const mono = new Float32Array(pcm.length / channels);
    for (let at = 0; at < mono.length; at += 1) {
      mono[at] = ((pcm[at * channels] as number) + (pcm[at * channels + 1] as number)) / 2;
    }
    return mono;
  }

  #joint(frameSamples: number): number {
    const step = Math.max(1, Math.round(this.#clockRate / SEARCH_RATE));
    return Math.floor(Math.min(this.#samples(JOINT), frameSamples / 4) / step) * step;
  }

  #samples(ms: number): number {
    return Math.floor((ms * this.#clockRate) / 1000);
  }
}

/** Lags are searched at this rate first, Hz, then around the best at the rate of the sound. */
const SEARCH_RATE = 8000;

/** Share of the power that is remembered after a second. */
const POWER_KEPT = 0.4;

/** Two stretches of one sound, 1 where they are the same, -1 where one is the other's mirror; differing loudness counts against them. */
function likenessOf(sound: Float32Array, one: number, other: number, length: number): number {
  let product = 0;
  let energy = 0;
  for (let index = 0; index < length; index += 1) {
    const a = sound[one + index] as number;
    const b = sound[other + index] as number;
    product += a * b;
    energy += a * a + b * b;
  }
  return energy === 0 ? 1 : (2 * product) / energy;
}

/** Every `step` samples as their mean. */
function thinned(sound: Float32Array, step: number): Float32Array {
  if (step === 1) return sound;
  const thin = new Float32Array(Math.floor(sound.length / step));
  for (let at = 0; at < thin.length; at += 1) {
    let sum = 0;
    for (let index = at * step; index < (at + 1) * step; index += 1) sum += sound[index] as number;
    thin[at] = sum / step;
  }
  return thin;
}

function powerOf(sound: Float32Array): number {
  let energy = 0;
  for (let at = 0; at < sound.length; at += 1) energy += (sound[at] as number) * (sound[at] as number);
  return sound.length === 0 ? 0 : energy / sound.length;
}
