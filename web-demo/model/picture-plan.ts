/** What an encoder is to make of a picture of some size, under what is wanted of it now. */

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** What is wanted of one rendition; rate 0: nothing. */
export interface WantedPicture {
  readonly bitsPerSecond: number;
  readonly maxHeight: number;
  readonly maxFrameRate: number;
}

/** How an encoder is to be set. */
export interface Encoding extends Size {
  readonly bitsPerSecond: number;
  readonly frameRate: number;
}

/** Of what the rate says, this share is left for the pictures themselves: the rest is around them. */
const FOR_PICTURES = 0.92;
/** Encoders take whole blocks of colour: even lengths. */
const EVEN = 2;
/** A rate within this share of the present one is not worth a change. */
const NEAR = 0.08;

/** The setting for a picture of size `source`; `undefined` where nothing is wanted. Never larger than the source. */
export function encodingFor(source: Size, wanted: WantedPicture): Encoding | undefined {
  if (wanted.bitsPerSecond <= 0 || wanted.maxFrameRate <= 0) return undefined;
  const scale = Math.min(1, wanted.maxHeight / source.height);
  return {
    width: even(source.width * scale),
    height: even(source.height * scale),
    bitsPerSecond: Math.round(wanted.bitsPerSecond * FOR_PICTURES),
    frameRate: wanted.maxFrameRate,
  };
}

/** Whether an encoder that is set so should be set anew: for another size or frame rate, any lower rate, or a rate that is much higher. */
export function isWorthChanging(present: Encoding, next: Encoding): boolean {
  return (
    present.width !== next.width ||
    present.height !== next.height ||
    present.frameRate !== next.frameRate ||
    next.bitsPerSecond < present.bitsPerSecond ||
    next.bitsPerSecond > present.bitsPerSecond * (1 + NEAR)
  );
}

function even(length: number): number {
  // What was scaled may lie a hair below the number that is meant.
  return Math.max(EVEN, EVEN * Math.floor(length / EVEN + 1e-6));
}
