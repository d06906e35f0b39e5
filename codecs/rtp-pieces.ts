/** Pieces of `bytes` as even as may be, none longer than `most`: views. */
export function evenPieces(bytes: Uint8Array, most: number): readonly Uint8Array[] {
  const count = Math.max(1, Math.ceil(bytes.length / most));
  const ends = Array.from({ length: count }, (_, index) => Math.round(((index + 1) * bytes.length) / count));
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}
