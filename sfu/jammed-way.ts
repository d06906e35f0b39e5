import type { HopEstimate } from "./congestion/media-hop.ts";

/** So few bytes jam no way. */
const LEAST_BYTES = 4_000;
/** So much of a hop's rate that stands jams it, ms; and what it is told to take then, as a share of that rate. */
const JAMMED_MS = 40;
const JAMMED_SHARE = 0.5;

/** Whether bytes that stand on a way, which nothing that a carrier sends once more explains, are more than `bitsPerSecond` puts on it in `ms`. */
export function isJammedBy(standing: number, bitsPerSecond: number, ms: number): boolean {
  return standing > Math.max(LEAST_BYTES, (ms * bitsPerSecond) / 8_000);
}

/** Bits a second that a way to a picture's listener takes, as far as is known: less than was found out where it is jammed, since no report says yet how much. */
export function stillTakes({ standing, bitsPerSecond }: HopEstimate): number {
  return isJammedBy(standing, bitsPerSecond, JAMMED_MS) ? JAMMED_SHARE * bitsPerSecond : bitsPerSecond;
}
