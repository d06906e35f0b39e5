import { energyOf } from "../sfu/pcm-energy.ts";

/** Level of a frame in dBov below full scale, 0 (loudest) to 127 (silence): RFC 6464. */
export function audioLevel(pcm: Int16Array): number {
  const energy = energyOf(pcm);
  if (energy === 0) return 127;
  const rms = Math.sqrt(energy / pcm.length) / 32768;
  return Math.min(127, Math.max(0, Math.round(-20 * Math.log10(rms))));
}
