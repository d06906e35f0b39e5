/** What an agent on the command line says: a WAV file or a tone. */
import { AUDIO_FORMATS } from "../../codecs/audio-formats.ts";
import { parseWav } from "../../codecs/wav.ts";
import { readInput } from "./files.ts";
import { usageError } from "./output.ts";

/** Sound to say in a call. */
export interface Voice {
  /** Codecs that take it as it is; undefined: every one. */
  readonly codecs: readonly string[] | undefined;
  /** Interleaved PCM for a call of this format. */
  pcm(format: { readonly clockRate: number; readonly channels: number }): Int16Array;
}

/** A 16-bit WAV file of one or two channels at a rate that a codec has. Throws `usage` naming what does not fit. */
export async function wavVoice(path: string): Promise<Voice> {
  const read = parseWav(await readInput(path));
  if (!read.ok) {
    throw usageError(`${path} is no 16-bit PCM WAV file: ${read.fault.message} (${read.fault.at}).`);
  }
  const { sampleRate, channels, samples } = read.value;
  const fitting = AUDIO_FORMATS.filter(({ clockRate }) => clockRate === sampleRate);
  if (fitting.length === 0) {
    const wanted = "Parley takes 48000 Hz, 16000 Hz for G.722 or 8000 Hz for G.711";
    throw usageError(
      `${path} has ${sampleRate} Hz; ${wanted}. Convert it first: sox ${path} -r 48000 OUT.wav`,
    );
  }
  if (channels > 2) throw usageError(`${path} has ${channels} channels; Parley takes one or two.`);
  return {
    codecs: fitting.map(({ name }) => name),
    pcm: (format) => remix(samples, channels, format.channels),
  };
}

/** A tone of 440 Hz, a third of full scale. */
export function toneVoice(seconds: number): Voice {
  return {
    codecs: undefined,
    pcm: ({ clockRate, channels }) => {
      const pcm = new Int16Array(Math.round(seconds * clockRate) * channels);
      for (let at = 0; at < pcm.length; at += 1) {
        const time = Math.floor(at / channels) / clockRate;
        pcm[at] = Math.round(TONE_AMPLITUDE * Math.sin(2 * Math.PI * TONE_HZ * time));
      }
      return pcm;
    },
  };
}

/** Two channels become one by their mean, one becomes two by repetition. */
export function remix(samples: Int16Array, from: number, to: number): Int16Array {
  if (from === to) return samples;
  const moments = samples.length / from;
  const mixed = new Int16Array(moments * to);
  for (let moment = 0; moment < moments; moment += 1) {
    const left = samples[moment * from] as number;
    const right = samples[moment * from + from - 1] as number;
    mixed.fill(Math.round((left + right) / 2), moment * to, (moment + 1) * to);
  }
  return mixed;
}

const TONE_HZ = 440;
const TONE_AMPLITUDE = 10_000;
