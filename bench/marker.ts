/** A sound that is easy to find again: a swept tone, which correlates with itself at one place only. */

/** What a found marker is. */
export interface FoundMarker {
  /** Sample at which it begins. */
  readonly at: number;
  /** Correlation with the marker as it was made, 0 to 1. */
  readonly score: number;
}

/** 30 ms from 600 to 3,000 Hz, fading in and out. */
export function markerTone(clockRate: number): Int16Array {
  const samples = Math.round(clockRate * MARKER_SECONDS);
  const tone = new Int16Array(samples);
  for (let index = 0; index < samples; index += 1) {
    const t = index / clockRate;
    const phase = 2 * Math.PI * (LOWEST_HZ * t + ((HIGHEST_HZ - LOWEST_HZ) * t * t) / (2 * MARKER_SECONDS));
    const fade = 0.5 - 0.5 * Math.cos((2 * Math.PI * index) / (samples - 1));
    tone[index] = Math.round(AMPLITUDE * fade * Math.sin(phase));
  }
  return tone;
}

/** Where `marker` stands in `pcm`, in rising order; what resembles it less than {@link LEAST_SCORE} is left out. */
export function findMarkers(pcm: Int16Array, marker: Int16Array): FoundMarker[] {
  const length = marker.length;
  const markerEnergy = energyOf(marker, 0, length);
  const found: FoundMarker[] = [];
  let energy = energyOf(pcm, 0, length);
  for (let at = 0; at + length <= pcm.length; at += 1) {
    if (at > 0) {
      const [left, joined] = [pcm[at - 1] as number, pcm[at + length - 1] as number];
      energy += joined * joined - left * left;
    }
    if (energy < markerEnergy * QUIET_SHARE) continue;
    let product = 0;
    for (let index = 0; index < length; index += 1)
      product += (pcm[at + index] as number) * (marker[index] as number);
    const score = product / Math.sqrt(energy * markerEnergy);
    if (score < LEAST_SCORE) continue;
    const last = found.at(-1);
    if (last === undefined || at - last.at >= length) found.push({ at, score });
    else if (score > last.score) found[found.length - 1] = { at, score };
  }
  return found;
}

function energyOf(pcm: Int16Array, from: number, to: number): number {
  let energy = 0;
  for (let index = from; index < Math.min(to, pcm.length); index += 1)
    energy += (pcm[index] as number) * (pcm[index] as number);
  return energy;
}

/** Correlation below which something is no marker: a codec at a low bitrate leaves 0.6 of one at worst. */
const LEAST_SCORE = 0.4;
/** Windows with less of the marker's energy than this are not looked at. */
const QUIET_SHARE = 0.05;
const MARKER_SECONDS = 0.03;
const LOWEST_HZ = 600;
const HIGHEST_HZ = 3_000;
const AMPLITUDE = 12_000;
