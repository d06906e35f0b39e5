/** Which tone is in a recording, and for how long. */

/** Of what is loud enough in a recording. */
export interface Tone {
  /** Of each piece of a fifth of a second the strongest pitch, and the middle one of these, Hz; NaN where nothing sounds. */
  readonly hz: number;
  /** How long it sounds. */
  readonly seconds: number;
}

/** Finds the tone in mono `pcm`. */
export function toneIn(pcm: Int16Array, rate: number): Tone {
  const length = rate * PIECE_S;
  const pitches: number[] = [];
  for (let at = 0; at + length <= pcm.length; at += length) {
    const piece = pcm.subarray(at, at + length);
    if (isAudible(piece.subarray(0, length / 4)) && isAudible(piece.subarray(-length / 4)))
      pitches.push(pitchOf(piece, rate));
  }
  pitches.sort((a, b) => a - b);
  return { hz: pitches[pitches.length >> 1] ?? Number.NaN, seconds: pitches.length * PIECE_S };
}

/** The strongest, coarsely and then around it. */
function pitchOf(piece: Int16Array, rate: number): number {
  const shaped = Float64Array.from(piece, (sample, at) => {
    return sample * (1 - Math.cos((2 * Math.PI * at) / piece.length));
  });
  const strongest = (from: number, to: number, step: number): number => {
    let [best, most] = [from, 0];
    for (let hz = from; hz <= to; hz += step) {
      const energy = energyAt(hz, shaped, rate);
      if (energy > most) [best, most] = [hz, energy];
    }
    return best;
  };
  const coarse = strongest(LOWEST_HZ, HIGHEST_HZ, COARSE_HZ);
  return strongest(coarse - COARSE_HZ, coarse + COARSE_HZ, FINE_HZ);
}

/** By Goertzel. */
function energyAt(hz: number, samples: Float64Array, rate: number): number {
  const turn = 2 * Math.cos((2 * Math.PI * hz) / rate);
  let [last, before] = [0, 0];
  for (const sample of samples) [last, before] = [sample + turn * last - before, last];
  return last * last + before * before - turn * last * before;
}

function isAudible(samples: Int16Array): boolean {
  const energy = samples.reduce((sum, sample) => sum + sample * sample, 0);
  return Math.sqrt(energy / samples.length) >= AUDIBLE;
}

const PIECE_S = 0.2;
const [LOWEST_HZ, HIGHEST_HZ, COARSE_HZ, FINE_HZ] = [100, 2_000, 4, 0.25];
/** Quieter than this, root mean square, is silence. */
const AUDIBLE = 1_000;
