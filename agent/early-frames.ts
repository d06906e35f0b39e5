/** Frames kept whose media key is not known yet, and for how long, ms: the news of it takes another way. The oldest goes. */
const EARLY_FRAMES = 64;
const EARLY_MS = 500;

/** A frame as it came. */
interface EarlyFrame {
  readonly bytes: Uint8Array;
  readonly carriage: "datagram" | "item";
  /** Monotonic milliseconds. */
  readonly at: number;
}

/** Frames of a heard voice that overtook the news of the key which signed them. */
export class EarlyFrames {
  #frames: EarlyFrame[] = [];

  add(frame: EarlyFrame): void {
    this.#frames.push(frame);
    if (this.#frames.length > EARLY_FRAMES) this.#frames.shift();
  }

  /** What came lately, in order; nothing is kept after it. */
  take(now: number): readonly EarlyFrame[] {
    const fresh = this.#frames.filter(({ at }) => at >= now - EARLY_MS);
    this.#frames = [];
    return fresh;
  }
}
