/** A video asks for so much more than its best rendition takes: a better one has to fit with room to spare. */
const HEADROOM = 1.25;

/**
 * What each of several videos has of the room of one listener, by the bits a second that its best rendition takes: as much as the others where there
 * is too little, and what one does not need goes to the others. What nobody needs is shared evenly.
 */
export function shareAmongVideos(room: number, best: readonly number[]): readonly number[] {
  if (!Number.isFinite(room)) return best.map(() => room);
  const asked = best.map((bitsPerSecond) => bitsPerSecond * HEADROOM);
  const shares = best.map(() => 0);
  let left = room;
  const modest = asked.map((_, index) => index).sort((one, other) => (asked[one] ?? 0) - (asked[other] ?? 0));
  modest.forEach((index, before) => {
    const share = Math.min(asked[index] ?? 0, left / (modest.length - before));
    shares[index] = share;
    left -= share;
  });
  return shares.map((share) => share + left / shares.length);
}
