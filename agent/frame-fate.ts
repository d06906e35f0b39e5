import type { FramesRefused } from "./call-events.ts";

/** What became of one frame, as this end knows it. */
export interface FrameFate {
  /** Said by this end, or heard from the other. */
  readonly direction: "sent" | "heard";
  readonly stream: number;
  /** 48 bits; undefined where it is not known: a concealed interval, a packet that could not be read. */
  readonly sequence: number | undefined;
  /**
   * `sent`: handed to the carrier. `unsent`: signed, and never handed to it: the call had no connection, or its way took no more in time. `verified`: the speaker's signature held, in time to be played. `late`: it held, past its
   * time. `concealed`: one interval was made up. `refused`: by this end, or by the relay on the way; then told after `sent`.
   */
  readonly fate: "sent" | "unsent" | "verified" | "late" | "concealed" | "refused";
  /** Why it was refused, as `frames-refused` names it. */
  readonly reason?: string;
  /** Level that the speaker signed for it, dB below full scale: 0 loudest, 127 silence. With `sent`, `unsent`, `verified`, `late`. */
  readonly level?: number;
  /** Milliseconds on the platform's monotonic clock. */
  readonly at: number;
}

/** Sees what becomes of every frame of a call. */
export type FrameWatch = (fate: FrameFate) => void;

/** Frames of one report of the relay that are told one by one; `frames-refused` gives the count of all. */
const MAX_TOLD = 64;

/**
 * The sequence numbers a report of refused frames stands for: all of them where they are without gaps, else the ends, and
 * `undefined` for those in between.
 */
export function refusedSequences({ first, last, count }: FramesRefused): (number | undefined)[] {
  const told = Math.min(count, MAX_TOLD);
  const known = first !== undefined && last !== undefined;
  const gapless = known && last - first + 1 === count;
  return Array.from({ length: told }, (_, index) => {
    if (gapless) return first + index;
    if (index === 0) return first;
    return index === told - 1 ? last : undefined;
  });
}

/** A listener of the application that cannot stop the media: what it throws goes to `report`. */
export function guarded<Item>(
  listener: (item: Item) => void,
  report: (error: unknown) => void,
): (item: Item) => void {
  return (item) => {
    try {
      listener(item);
    } catch (error) {
      report(error);
    }
  };
}
