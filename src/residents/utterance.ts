import type { Resampler } from "./resample.ts";

/** Something to say, made piece by piece while it is said: the server's other work goes on between. */
export interface Utterance {
  /** Interleaved samples in all. */
  readonly length: number;
  /** Samples from `start` up to `end`, both whole moments; fewer at the end. */
  piece(start: number, end: number): Int16Array;
}

/** Sound that is in the call's format already. */
export function spoken(pcm: Int16Array): Utterance {
  return { length: pcm.length, piece: (start, end) => pcm.subarray(start, end) };
}

/** Mono sound as a call of so many channels takes it, at the rate that `resampler` leads to. */
export function converted(samples: Int16Array, resampler: Resampler, channels: 1 | 2): Utterance {
  const moments = resampler.lengthOf(samples.length);
  return {
    length: moments * channels,
    piece: (start, end) => {
      const mono = resampler.stretch(samples, start / channels, Math.min(moments, end / channels));
      if (channels === 1) return mono;
      return Int16Array.from({ length: mono.length * channels }, (_, at) => mono[at >> 1] as number);
    },
  };
}
