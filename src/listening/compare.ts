/**
 * Listening with numbers: where a known utterance stands in a recording, how alike the two are, and how long it was silent
 * where the utterance was not. Mono PCM throughout.
 */
import { slidingProducts } from "./sliding-product.ts";

/** Milliseconds of one step of the loudness contour that finds the rough place. */
const STEP_MS = 5;
/** What a recording may lack of the utterance's beginning, in steps: what was said first may be lost. */
const LACKING_STEPS = 100;
/** How far around the rough place the exact one is looked for, ms. */
const REFINE_MS = 12;
/** Playout may move inside an utterance as it adapts: pieces of this length are placed each for itself, ms. */
const PIECE_MS = 250;
/** How far one piece may have moved against the one before it, ms. */
const PIECE_REACH_MS = 45;
/** A piece that stands more than this away from where the one before it says, ms, has slipped. */
const SLIP_MS = 2;
/** A step of the utterance louder than this share of its loudest counts as speech. */
const SPEECH_SHARE = 0.05;
/** A step of the recording quieter than this share of the utterance's own loudness there counts as a hole. */
const HOLE_SHARE = 0.1;

/** How an utterance came through. */
export interface Comparison {
  /** Samples into the recording at which the utterance begins; negative where so much of its beginning is not in it. */
  readonly offset: number;
  /** Normalised correlation over the whole utterance, its pieces aligned each for itself: 1 is the same up to loudness. */
  readonly correlation: number;
  /** The same with one alignment for all of it. */
  readonly rigidCorrelation: number;
  /** Times that playout moved inside the utterance. */
  readonly slips: number;
  /** Longest run without sound where the utterance has some, ms. */
  readonly longestGap: number;
}

/** Finds `utterance` in `recording` from sample `from` on and compares the two. */
export function compareUtterance(
  utterance: Int16Array,
  recording: Int16Array,
  clockRate: number,
  from = 0,
): Comparison {
  const step = Math.round((clockRate * STEP_MS) / 1000);
  const lacking = LACKING_STEPS * step;
  const searched = new Int16Array(lacking + Math.max(0, recording.length - from));
  searched.set(recording.subarray(from), lacking);
  const rough = bestOffset(contour(utterance, step), contour(searched, step)) * step;
  const samples = (ms: number) => Math.round((clockRate * ms) / 1000);
  const offset = bestPlace(utterance, searched, rough, samples(REFINE_MS), clockRate);
  const pieces = placePieces(utterance, searched, offset, clockRate);
  const product = new Product();
  const heard = new Int16Array(utterance.length);
  let slips = 0;
  for (const [index, piece] of pieces.entries()) {
    const before = pieces[index - 1];
    if (before !== undefined && Math.abs(piece.offset - before.offset) > samples(SLIP_MS)) slips += 1;
    product.add(utterance, searched, piece.offset, piece.start, piece.end);
    heard.set(searched.subarray(piece.offset + piece.start, piece.offset + piece.end), piece.start);
  }
  const rigid = new Product();
  rigid.add(utterance, searched, offset, 0, utterance.length);
  return {
    offset: (pieces[0]?.offset ?? offset) - lacking + from,
    correlation: product.correlation,
    rigidCorrelation: rigid.correlation,
    slips,
    longestGap: longestGap(contour(utterance, step), contour(heard, step)) * STEP_MS,
  };
}

interface Piece {
  readonly start: number;
  readonly end: number;
  /** Samples from a sample of the utterance to the same one in the recording. */
  readonly offset: number;
}

/** Places each piece near the one before it; pieces without sound stay where that one says. */
function placePieces(
  utterance: Int16Array,
  recording: Int16Array,
  offset: number,
  clockRate: number,
): Piece[] {
  const length = Math.round((clockRate * PIECE_MS) / 1000);
  const reach = Math.round((clockRate * PIECE_REACH_MS) / 1000);
  const pieces: Piece[] = [];
  const loudest = utterance.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0);
  // The whole may fit best where its later part stands: its first second alone says where it begins.
  let place = bestPlace(utterance.subarray(0, 4 * length), recording, offset, 3 * reach, clockRate);
  for (let start = 0; start < utterance.length; start += length) {
    const end = Math.min(utterance.length, start + length);
    const piece = utterance.subarray(start, end);
    if (piece.some((sample) => Math.abs(sample) > loudest * SPEECH_SHARE)) {
      place = bestPlace(piece, recording, start + place, reach, clockRate) - start;
    }
    pieces.push({ start, end, offset: place });
  }
  return pieces;
}

/** Where `wanted` fits best within `reach` of `around`: first in steps of an eighth of a millisecond, then to the sample. */
function bestPlace(
  wanted: Int16Array,
  recording: Int16Array,
  around: number,
  reach: number,
  clockRate: number,
): number {
  const step = Math.max(1, Math.round(clockRate / 8000));
  const coarse = bestOf(wanted, recording, around - reach, around + reach, step);
  return step === 1 ? coarse : bestOf(wanted, recording, coarse - step, coarse + step, 1);
}

/** Of the places from `from` to `to`, `step` apart, the one where `wanted` fits best, judged by every `step`th sample. */
function bestOf(wanted: Int16Array, recording: Int16Array, from: number, to: number, step: number): number {
  const first = Math.max(0, from);
  const places = Math.max(0, Math.floor((to - first) / step) + 1);
  const sought = everyNth(wanted, 0, Math.ceil(wanted.length / step), step);
  const there = everyNth(recording, first, sought.length + places, step);
  const energy = sought.reduce((sum, sample) => sum + sample * sample, 0);
  let found = 0;
  for (let at = 0; at < sought.length; at += 1) found += (there[at] as number) ** 2;
  const products = slidingProducts(sought, there, places);
  let best = Number.NEGATIVE_INFINITY;
  let place = first;
  for (let index = 0; index < places; index += 1) {
    const likeness = correlation(products[index] as number, energy, found);
    if (likeness > best) {
      best = likeness;
      place = first + index * step;
    }
    // Whole numbers far below 2^53: what comes in and goes out leaves no error behind.
    found += (there[index + sought.length] as number) ** 2 - (there[index] as number) ** 2;
  }
  return place;
}

/** `count` samples from `from` on, `step` apart; beyond the end there is silence. */
function everyNth(pcm: Int16Array, from: number, count: number, step: number): Float64Array {
  const samples = new Float64Array(count);
  const within = Math.min(count, Math.ceil((pcm.length - from) / step));
  for (let index = 0; index < within; index += 1) samples[index] = pcm[from + index * step] as number;
  return samples;
}

function correlation(product: number, wanted: number, found: number): number {
  return wanted === 0 || found === 0 ? 0 : product / Math.sqrt(wanted * found);
}

/** Normalised correlation, gathered piece by piece. */
class Product {
  #product = 0;
  #wanted = 0;
  #found = 0;

  add(wanted: Int16Array, recording: Int16Array, offset: number, start: number, end: number): void {
    let [product, energy, found] = [0, 0, 0];
    for (let at = start; at < end; at += 1) energy += (wanted[at] as number) ** 2;
    const last = Math.min(end, recording.length - offset);
    for (let at = Math.max(start, -offset); at < last; at += 1) {
      const sample = recording[offset + at] as number;
      product += (wanted[at] as number) * sample;
      found += sample * sample;
    }
    this.#product += product;
    this.#wanted += energy;
    this.#found += found;
  }

  get correlation(): number {
    return correlation(this.#product, this.#wanted, this.#found);
  }
}

/** Root mean square of each step. */
function contour(pcm: Int16Array, step: number): Float64Array {
  const levels = new Float64Array(Math.ceil(pcm.length / step));
  for (let index = 0; index < levels.length; index += 1) {
    const end = Math.min(pcm.length, (index + 1) * step);
    let energy = 0;
    for (let at = index * step; at < end; at += 1) energy += (pcm[at] as number) ** 2;
    levels[index] = Math.sqrt(energy / step);
  }
  return levels;
}

function bestOffset(wanted: Float64Array, levels: Float64Array): number {
  let best = Number.NEGATIVE_INFINITY;
  let offset = 0;
  const last = Math.max(0, levels.length - Math.floor(wanted.length / 2));
  for (let candidate = 0; candidate <= last; candidate += 1) {
    let product = 0;
    let energy = 1;
    const end = Math.min(wanted.length, levels.length - candidate);
    for (let at = 0; at < end; at += 1) {
      const level = levels[candidate + at] as number;
      product += (wanted[at] as number) * level;
      energy += level * level;
    }
    const likeness = product / Math.sqrt(energy);
    if (likeness > best) {
      best = likeness;
      offset = candidate;
    }
  }
  return offset;
}

function longestGap(spoken: Float64Array, heard: Float64Array): number {
  const floor = SPEECH_SHARE * spoken.reduce((loudest, level) => Math.max(loudest, level), 0);
  let longest = 0;
  let run = 0;
  for (let at = 0; at < spoken.length; at += 1) {
    const level = spoken[at] as number;
    run = level > floor && (heard[at] ?? 0) < level * HOLE_SHARE ? run + 1 : 0;
    longest = Math.max(longest, run);
  }
  return longest;
}
