/** Rates that video steps through, bits a second with all that is around the payloads. */
const RATES = [
  48_000, 64_000, 80_000, 100_000, 125_000, 160_000, 200_000, 250_000, 320_000, 400_000, 500_000, 630_000,
  800_000, 1_000_000, 1_250_000, 1_600_000, 2_000_000, 2_500_000, 3_200_000, 4_000_000, 5_000_000, 6_300_000,
  8_000_000, 10_000_000, 12_500_000, 16_000_000, 20_000_000,
] as const;

/** Below this video is not worth watching, bits a second: it pauses. The voice is not lowered while video has more. */
export const VIDEO_FLOOR = RATES[0];

/** The least rate at which so many lines are worth coding. */
const HEIGHTS = [
  [0, 180],
  [200_000, 270],
  [400_000, 360],
  [800_000, 540],
  [1_500_000, 720],
  [3_000_000, 1_080],
  [6_000_000, 1_440],
  [12_000_000, 2_160],
] as const;

/** The least rate at which so many pictures a second are; more than the last, whatever the encoder makes. */
const FRAME_RATES = [
  [0, 8],
  [80_000, 15],
  [250_000, 30],
  [800_000, 60],
] as const;

/** What video of such pictures is sent with when nothing is in its way, bits a second with all that is around the payloads. */
export function usualVideoRate({
  width,
  height,
  frameRate,
}: {
  readonly width: number;
  readonly height: number;
  readonly frameRate: number;
}): number {
  // More pictures, and larger ones, have more in common.
  const share = ((width * height * frameRate) / (1_280 * 720 * 30)) ** 0.75;
  return videoRateWithin(Math.max(LEAST_USUAL_RATE, Math.min(MOST_RATE, 2_500_000 * share)), MOST_RATE);
}

/** What a picture is to be at most. */
export interface PictureLimits {
  readonly maxHeight: number;
  readonly maxFrameRate: number;
}

/** The highest step within `bitsPerSecond` and `most`; 0: not even the least. */
export function videoRateWithin(bitsPerSecond: number, most: number): number {
  if (most <= bitsPerSecond) return most;
  const step = RATES.findLast((rate) => rate <= bitsPerSecond && rate < most);
  return step ?? 0;
}

/** The step above a rate, `most` at most. */
export function videoRateAbove(bitsPerSecond: number, most: number): number {
  return Math.min(most, RATES.find((rate) => rate > bitsPerSecond) ?? most);
}

/** What is worth coding at a rate, within what a stream may be. */
export function pictureAt(bitsPerSecond: number, most: PictureLimits): PictureLimits {
  return {
    maxHeight: Math.min(most.maxHeight, stepAt(HEIGHTS, bitsPerSecond)),
    maxFrameRate: Math.min(most.maxFrameRate, stepAt(FRAME_RATES, bitsPerSecond)),
  };
}

/** Bits of payload a second of what is sent at a rate: headers, signatures and what carriers add take the rest. */
export function payloadRate(bitsPerSecond: number, frameRate: number): number {
  const around = frameRate * AROUND_UNIT * 8 + bitsPerSecond * AROUND_PIECES;
  return Math.round(Math.max(bitsPerSecond * LEAST_PAYLOAD, bitsPerSecond - around));
}

/** The other way round: what goes over a way, all that is around it included, where so many bits of payload a second do. */
export function wireRate(payload: number, frameRate: number): number {
  const whole = (payload + frameRate * AROUND_UNIT * 8) / (1 - AROUND_PIECES);
  return Math.round(Math.min(payload / LEAST_PAYLOAD, whole));
}

/** What one rendition is to be; `bitsPerSecond` 0: it pauses. */
export interface RenditionPlan extends PictureLimits {
  /** 0 is the best. */
  readonly rendition: number;
  readonly bitsPerSecond: number;
}

/**
 * Shares a rate out among the renditions of one picture, each with half the lines of the one before. The least goes first: it is what everybody can
 * have; a better one pauses where what is left does not make it better than the best below it, which has what is left then.
 */
export function shareAmongRenditions(
  bitsPerSecond: number,
  count: number,
  most: PictureLimits,
): readonly RenditionPlan[] {
  const shares: { readonly rendition: number; readonly limits: PictureLimits; rate: number }[] = [];
  let left = bitsPerSecond;
  let best: (typeof shares)[number] | undefined;
  for (let rendition = count - 1; rendition >= 0; rendition -= 1) {
    const lines = Math.max(LEAST_LINES, Math.round(most.maxHeight / 2 ** rendition));
    const limits = { maxHeight: Math.min(most.maxHeight, lines), maxFrameRate: most.maxFrameRate };
    const enough = rendition === 0 ? left : Math.min(left, enoughFor(limits.maxHeight));
    const isBetter = best === undefined || enough > 1.5 * best.rate;
    const share = { rendition, limits, rate: isBetter && enough >= VIDEO_FLOOR ? enough : 0 };
    left -= share.rate;
    if (share.rate > 0) best = share;
    shares.push(share);
  }
  if (best !== undefined) best.rate += left;
  const plans = shares.map((one) => ({
    rendition: one.rendition,
    bitsPerSecond: one.rate,
    ...pictureAt(one.rate, one.limits),
  }));
  return plans.reverse();
}

/** Bytes around a unit: headers, elements, signature, stream. */
const AROUND_UNIT = 130;
/** What carriers add to each piece, as a share of it. */
const AROUND_PIECES = 0.055;
/** Pictures are fewer before less than this share of a rate is payload. */
const LEAST_PAYLOAD = 0.65;
const LEAST_USUAL_RATE = 100_000;
/** No video has more, bits a second. */
export const MOST_RATE = 20_000_000;

/** A rendition that is worth sending looks well at this, however small, bits a second. */
const LEAST_ENOUGH = 100_000;
/** Lines of the least rendition, whatever the best has. */
const LEAST_LINES = 90;

/** A rate at which so many lines look well: that from which more of them are worth coding. */
function enoughFor(lines: number): number {
  const more = HEIGHTS.find(([, height]) => height > lines)?.[0] ?? Number.POSITIVE_INFINITY;
  return Math.max(LEAST_ENOUGH, more);
}

function stepAt(table: readonly (readonly [number, number])[], bitsPerSecond: number): number {
  return (table.findLast(([rate]) => rate <= bitsPerSecond) ?? table[0])?.[1] ?? 0;
}
