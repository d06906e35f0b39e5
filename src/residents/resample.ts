/** Zero crossings of the kernel on each side. */
const LOBES = 16;
/** Share of the lower rate's band that is kept, so that the kernel's slope lies inside it. */
const BAND = 0.92;

/** Mono PCM at another rate: a windowed sinc at every output sample, its band cut to the lower of both rates. */
export function resample(pcm: Int16Array, from: number, to: number): Int16Array {
  if (from === to) return pcm;
  const cutoff = BAND * Math.min(1, to / from);
  const reach = Math.ceil(LOBES / cutoff);
  const out = new Int16Array(Math.round((pcm.length * to) / from));
  for (let index = 0; index < out.length; index += 1) {
    const centre = (index * from) / to;
    const first = Math.max(0, Math.ceil(centre - reach));
    const last = Math.min(pcm.length - 1, Math.floor(centre + reach));
    let sum = 0;
    for (let at = first; at <= last; at += 1) {
      sum += (pcm[at] as number) * kernel(at - centre, cutoff, reach);
    }
    out[index] = Math.max(-32768, Math.min(32767, Math.round(sum)));
  }
  return out;
}

/** Sinc under a Hann window. */
function kernel(distance: number, cutoff: number, reach: number): number {
  const x = Math.PI * distance * cutoff;
  const sinc = distance === 0 ? 1 : Math.sin(x) / x;
  return cutoff * sinc * (0.5 + 0.5 * Math.cos((Math.PI * distance) / reach));
}
