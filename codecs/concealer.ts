/**
 * Fills in for lost frames of a codec that codes the waveform: the last frame that came is played backwards, which meets its end without a
 * step, and forwards again, fading to silence over 60 ms; the frame after a loss is faded in over 2.5 ms. For one channel.
 */
export class Concealer {
  readonly #fullSamples: number;
  readonly #endSamples: number;
  readonly #blendSamples: number;
  /** The last frame that arrived. */
  readonly #last: Int16Array;
  /** Samples concealed since then. */
  #lost = 0;

  /** `clockRate`: samples a second. */
  constructor(clockRate: number, frameSamples: number) {
    this.#fullSamples = clockRate * FULL_SECONDS;
    this.#endSamples = clockRate * END_SECONDS;
    this.#blendSamples = clockRate * BLEND_SECONDS;
    this.#last = new Int16Array(frameSamples);
  }

  /** A frame that arrived: its beginning is changed where frames before it were lost. */
  arrived(pcm: Int16Array): void {
    const blend = this.#lost > 0 ? Math.min(this.#blendSamples, pcm.length) : 0;
    for (let at = 0; at < blend; at++) {
      const weight = (at + 1) / (blend + 1);
      const concealed = this.#concealed(this.#lost + at);
      pcm[at] = Math.round(concealed + ((pcm[at] as number) - concealed) * weight);
    }
    this.#last.set(pcm);
    this.#lost = 0;
  }

  /** What arrived is not heard any more: lost frames are silence until another has come. */
  forget(): void {
    this.#last.fill(0);
    this.#lost = 0;
  }

  /** Fills `pcm` in place of a lost frame. */
  fill(pcm: Int16Array): void {
    for (let at = 0; at < pcm.length; at++) pcm[at] = this.#concealed(this.#lost + at);
    this.#lost = Math.min(this.#lost + pcm.length, this.#endSamples);
  }

  /** Sample number `since` after the last one that arrived: back and forth over that frame, ever quieter. */
  #concealed(since: number): number {
    if (since >= this.#endSamples) return 0;
    const length = this.#last.length;
    const phase = since % (2 * length);
    const sample = this.#last[phase < length ? length - 1 - phase : phase - length] as number;
    const fading = this.#endSamples - this.#fullSamples;
    const gain = since < this.#fullSamples ? 1 : (this.#endSamples - since) / fading;
    return Math.round(sample * gain);
  }
}

/** Concealment keeps its level for 10 ms and is silent after 60 ms. */
const FULL_SECONDS = 0.01;
const END_SECONDS = 0.06;
const BLEND_SECONDS = 0.0025;
