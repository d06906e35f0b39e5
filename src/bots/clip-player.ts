/** Shows a clip: which unit of which rendition goes at each moment, as an encoder would that follows what the call wants. */
import type { Clip, ClipUnit } from "./clips.ts";

/** What is wanted of one rendition now. */
export interface WantedRendition {
  readonly rendition: number;
  /** 0: it pauses. */
  readonly bitsPerSecond: number;
  readonly keyFrame: boolean;
}

/** One unit to send. */
export interface DueUnit {
  readonly rendition: number;
  readonly unit: ClipUnit;
}

/**
 * Where a clip is in each of its renditions. An encoder makes a key frame when it is asked to; here the clip jumps to its next one. What was not wanted is
 * passed over, and a rendition that comes back begins with a key frame.
 */
export class ClipPlayer {
  readonly #clip: Clip;
  /** Index of each rendition's next unit. */
  readonly #next: number[];
  readonly #paused: boolean[];

  constructor(clip: Clip) {
    this.#clip = clip;
    this.#next = clip.renditions.map(() => 0);
    this.#paused = clip.renditions.map(() => false);
  }

  /** The units of the next moment, best rendition first: one of each that is wanted. */
  advance(wanted: readonly WantedRendition[]): DueUnit[] {
    const due: DueUnit[] = [];
    for (const { rendition, bitsPerSecond, keyFrame } of wanted) {
      const units = this.#clip.renditions[rendition]?.units;
      if (units === undefined) continue;
      if (bitsPerSecond === 0) {
        this.#paused[rendition] = true;
        continue;
      }
      let index = this.#next[rendition] as number;
      if (keyFrame || this.#paused[rendition] === true) index = nextKey(units, index);
      this.#paused[rendition] = false;
      due.push({ rendition, unit: units[index] as ClipUnit });
      this.#next[rendition] = (index + 1) % units.length;
    }
    return due;
  }
}

/** Where the next key frame stands, from `from` on and over the end. */
function nextKey(units: readonly ClipUnit[], from: number): number {
  for (let ahead = 0; ahead < units.length; ahead += 1) {
    const index = (from + ahead) % units.length;
    if (units[index]?.key === true) return index;
  }
  return 0;
}
