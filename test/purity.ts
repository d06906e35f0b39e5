/** Listening to a tone with numbers: how pure it is, and where it jumps. Mono PCM throughout. */

/** How a tone came through. */
export interface Purity {
  /** Power of the tone over power of everything else, dB, in the worst of the pieces. */
  readonly worst: number;
  /** The same over all of it. */
  readonly overall: number;
  /** How far the frequency was off in the worst piece, cents. */
  readonly detuned: number;
  /** Largest second difference of neighbouring samples over the largest that the tone itself has: 1 is none but the tone's. */
  readonly roughest: number;
}

/** Milliseconds of a piece. */
const PIECE_MS = 50;

/** Compares `pcm` piece by piece with a tone of `frequency` Hz of whatever phase and loudness. */
export function purityOf(pcm: Int16Array, frequency: number, clockRate: number): Purity {
  const length = Math.round((clockRate * PIECE_MS) / 1000);
  let worst = Number.POSITIVE_INFINITY;
  let detuned = 0;
  let [tone, rest] = [0, 0];
  for (let from = 0; from + length <= pcm.length; from += length) {
    const piece = nearestTone(pcm.subarray(from, from + length), frequency, clockRate);
    tone += piece.tone;
    rest += piece.rest;
    worst = Math.min(worst, decibels(piece.tone, piece.rest));
    detuned = Math.max(detuned, Math.abs(piece.cents));
  }
  return { worst, overall: decibels(tone, rest), detuned, roughest: roughness(pcm, frequency, clockRate) };
}

function roughness(pcm: Int16Array, frequency: number, clockRate: number): number {
  let [largest, loudest] = [0, 0];
  for (let at = 1; at + 1 < pcm.length; at += 1) {
    const [before, here, after] = [pcm[at - 1] as number, pcm[at] as number, pcm[at + 1] as number];
    largest = Math.max(largest, Math.abs(before - 2 * here + after));
    loudest = Math.max(loudest, Math.abs(here));
  }
  const own = loudest * (2 * Math.sin((Math.PI * frequency) / clockRate)) ** 2;
  return largest / own;
}

/** Least squares: the tone of that frequency nearest to the piece, and what is left. */
function nearestTone(
  pcm: Int16Array,
  frequency: number,
  clockRate: number,
): { readonly tone: number; readonly rest: number; readonly cents: number } {
  const turn = (2 * Math.PI * frequency) / clockRate;
  const half = Math.floor(pcm.length / 2);
  const [cos, sin] = amplitudes(pcm, turn, 0, pcm.length);
  let [tone, rest] = [0, 0];
  for (let at = 0; at < pcm.length; at += 1) {
    const made = cos * Math.cos(turn * at) + sin * Math.sin(turn * at);
    tone += made * made;
    rest += ((pcm[at] as number) - made) ** 2;
  }
  // The phase of a tone that is off by a little moves between the halves.
  const [cosA, sinA] = amplitudes(pcm, turn, 0, half);
  const [cosB, sinB] = amplitudes(pcm, turn, half, pcm.length);
  const moved = Math.atan2(cosB * sinA - sinB * cosA, cosA * cosB + sinA * sinB);
  const cents = 1200 * Math.log2(1 + moved / half / turn);
  return { tone, rest, cents };
}

function amplitudes(pcm: Int16Array, turn: number, from: number, to: number): [number, number] {
  let [cc, ss, cs, xc, xs] = [0, 0, 0, 0, 0];
  for (let at = from; at < to; at += 1) {
    const [c, s, x] = [Math.cos(turn * at), Math.sin(turn * at), pcm[at] as number];
    cc += c * c;
    ss += s * s;
    cs += c * s;
    xc += x * c;
    xs += x * s;
  }
  const scale = cc * ss - cs * cs;
  return [(xc * ss - xs * cs) / scale, (xs * cc - xc * cs) / scale];
}

function decibels(tone: number, rest: number): number {
  return 10 * Math.log10(tone / Math.max(rest, Number.MIN_VALUE));
}
