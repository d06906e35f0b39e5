/** Sum of the squares of all samples, exactly. */
export function energyOf(pcm: Int16Array): number {
  const { length } = pcm;
  let energy = 0;
  // Two squares fit in 32 bits: added as integers they cost a third of what a sum of doubles for each sample does.
  for (let at = 1; at < length; at += 2) {
    const one = pcm[at - 1] as number;
    const other = pcm[at] as number;
    energy += (Math.imul(one, one) + Math.imul(other, other)) >>> 0;
  }
  const last = pcm[length - 1] as number;
  return length % 2 === 0 ? energy : energy + last * last;
}
