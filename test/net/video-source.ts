import type { SeededRandom } from "../../src/emulation/seeded-random.ts";

/** Milliseconds between frames on average. */
const FRAME_INTERVAL = 1_000 / 30;
/** How much intervals and sizes of frames vary: the scale of a Laplace distribution about 1. */
const SCALE = 0.15;
/** Milliseconds that an encoder takes to follow a new rate. */
const REACTION = 200;
/** Factor that no frame or interval goes beyond, either way. */
const WIDEST = 2;

/** The statistical model of a live video encoder in its steady state (RFC 8593, section 5.1): frames of varying size at varying intervals. */
export class VideoSource {
  readonly #random: SeededRandom;
  readonly #least: number;
  readonly #most: number;
  #rate: number;
  #wanted: number;
  #changedAt = Number.NEGATIVE_INFINITY;

  constructor(
    random: SeededRandom,
    bitrate: { readonly least: number; readonly most: number; readonly first: number },
  ) {
    this.#random = random;
    this.#least = bitrate.least;
    this.#most = bitrate.most;
    this.#rate = bitrate.first;
    this.#wanted = bitrate.first;
  }

  /** Asks for another rate, bits a second; it takes a moment. */
  ask(rate: number, now: number): void {
    const bounded = Math.min(this.#most, Math.max(this.#least, rate));
    if (now - this.#changedAt >= REACTION) {
      this.#rate = this.#wanted;
      this.#wanted = bounded;
      this.#changedAt = now;
    }
  }

  /** The next frame: its bytes, and the milliseconds until the one after it. */
  frame(now: number): { readonly bytes: number; readonly interval: number } {
    if (now - this.#changedAt >= REACTION) this.#rate = this.#wanted;
    const size = (this.#rate * FRAME_INTERVAL) / 8_000;
    return {
      bytes: Math.max(1, Math.round(size * this.#varied())),
      interval: FRAME_INTERVAL * this.#varied(),
    };
  }

  #varied(): number {
    const uniform = this.#random.next() - 0.5;
    const laplace = -SCALE * Math.sign(uniform) * Math.log(1 - 2 * Math.min(0.499_999, Math.abs(uniform)));
    return Math.min(WIDEST, Math.max(1 / WIDEST, 1 + laplace));
  }
}
