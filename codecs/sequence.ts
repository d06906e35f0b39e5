/**
 * The 48-bit sequence number of a stream: its low 16 bits are the RTP sequence number, its high 32 bits travel in the
 * attribution element. It never wraps (at 1,000 frames a second it lasts 8,900 years), so plain `<` orders it.
 */
import { MAX_U48 } from "./field-range.ts";

/** Largest sequence number, 2^48-1. */
export const MAX_SEQUENCE = MAX_U48;

/** The whole number from its high 32 bits and the RTP sequence number. */
export function combineSequence(high: number, low: number): number {
  return high * 0x10000 + low;
}

/** High 32 bits, for the attribution element. */
export function sequenceHigh(sequence: number): number {
  return Math.floor(sequence / 0x10000);
}

/** Low 16 bits, the RTP sequence number. */
export function sequenceLow(sequence: number): number {
  return sequence % 0x10000;
}

/** Negative when `a` comes before `b`, positive when after, 0 when they are the same: a comparator for sorting. */
export function compareSequence(a: number, b: number): number {
  return a - b;
}

/**
 * The 48-bit number closest to `reference` whose low 16 bits are `low`: what RFC 3550 appendix A.1 does for peers
 * that send only those. Half way between two candidates the higher one is taken; the result stays in range.
 */
export function extendSequence(reference: number, low: number): number {
  const ahead = (low - sequenceLow(reference) + 0x10000) % 0x10000;
  const candidate = reference + (ahead > 0x8000 ? ahead - 0x10000 : ahead);
  if (candidate < 0) return candidate + 0x10000;
  return candidate > MAX_SEQUENCE ? candidate - 0x10000 : candidate;
}
