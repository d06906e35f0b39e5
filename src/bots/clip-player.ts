/** Shows a clip: which unit of which rendition goes at each moment, as an encoder would that follows what the call wants. */
import type { Clip, ClipRendition, ClipUnit } from "./clips.ts";

/** What is wanted of one rendition now. */
export interface WantedRendition {
  readonly rendition: number;
  /** 0: it pauses. */
  readonly bitsPerSecond: number;
  readonly maxFrameRate: number;
  readonly keyFrame: boolean;
}

/** One unit to send. */
export interface DueUnit {
  readonly rendition: number;
  readonly unit: ClipUnit;
}

/**
 * Where a clip is in each of its renditions. An encoder makes a key frame when it is asked to; here the clip jumps to its next one. What was not wanted is
 * passed over, and a rendition that comes back begins with a key frame. Where less is wanted than it makes the upper layers stay away, and what needs them until
 * the next key frame; and a whole rendition where not even its lowest layer fits and a lesser one goes.
 */
export class ClipPlayer {
  readonly #clip: Clip;
  /** Index of each rendition's next unit. */
  readonly #next: number[];
  readonly #paused: boolean[];
  /** Highest layer that goes, of each, since its last key frame. */
  readonly #layers: number[];

  constructor(clip: Clip) {
    this.#clip = clip;
    this.#next = clip.renditions.map(() => 0);
    this.#paused = clip.renditions.map(() => false);
    this.#layers = clip.renditions.map(() => 0);
  }

  /** The units of the next moment, best rendition first: one of each that is wanted. */
  advance(wanted: readonly WantedRendition[]): DueUnit[] {
    const due: DueUnit[] = [];
    for (const wants of wanted) {
      const { rendition, bitsPerSecond, keyFrame } = wants;
      const clip = this.#clip.renditions[rendition];
      if (clip === undefined) continue;
      const { units } = clip;
      const isSpared =
        (clip.layers[0]?.bitsPerSecond ?? 0) > bitsPerSecond &&
        wanted.some((other) => other.rendition > rendition && other.bitsPerSecond > 0);
      if (bitsPerSecond === 0 || isSpared) {
        this.#paused[rendition] = true;
        continue;
      }
      let index = this.#next[rendition] as number;
      if (keyFrame || this.#paused[rendition] === true) index = nextKey(units, index);
      this.#paused[rendition] = false;
      const unit = units[index] as ClipUnit;
      const fits = highestLayer(clip, wants);
      const highest = unit.key ? fits : Math.min(fits, this.#layers[rendition] as number);
      this.#layers[rendition] = highest;
      if ((unit.layer ?? 0) <= highest) due.push({ rendition, unit });
      this.#next[rendition] = (index + 1) % units.length;
    }
    return due;
  }
}

/** The highest layer with which a rendition stays within what is wanted of it; 0 where not even that does. */
function highestLayer({ layers }: ClipRendition, { bitsPerSecond, maxFrameRate }: WantedRendition): number {
  const fits = layers.findLastIndex(
    (layer) => layer.bitsPerSecond <= bitsPerSecond && layer.frameRate <= maxFrameRate,
  );
  return Math.max(0, fits);
}

/** Where the next key frame stands, from `from` on and over the end. */
function nextKey(units: readonly ClipUnit[], from: number): number {
  for (let ahead = 0; ahead < units.length; ahead += 1) {
    const index = (from + ahead) % units.length;
    if (units[index]?.key === true) return index;
  }
  return 0;
}
