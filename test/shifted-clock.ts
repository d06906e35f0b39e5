import type { Clock } from "../codecs/clock.ts";
import { createClock } from "../platform/node/clock.ts";

/** The machine's clock, which can be put forward: timers that fall due by that fire, and time goes on from there. */
export class ShiftedClock implements Clock {
  readonly #machine = createClock({ keepAlive: true });
  readonly #timers = new Set<{ readonly at: number; readonly fire: () => void; cancel: () => void }>();
  #shift = 0;

  now(): number {
    return this.#machine.now() + this.#shift;
  }

  wall(): number {
    return this.#machine.wall() + this.#shift;
  }

  at(at: number, fire: () => void): () => void {
    const timer = { at, fire, cancel: () => {} };
    this.#timers.add(timer);
    this.#arm(timer);
    return () => {
      this.#timers.delete(timer);
      timer.cancel();
    };
  }

  /** Timers set and neither fired nor cancelled. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Puts the clock forward by `ms`. */
  skip(ms: number): void {
    this.#shift += ms;
    for (const timer of this.#timers) {
      timer.cancel();
      this.#arm(timer);
    }
  }

  #arm(timer: { readonly at: number; readonly fire: () => void; cancel: () => void }): void {
    timer.cancel = this.#machine.at(timer.at - this.#shift, () => {
      this.#timers.delete(timer);
      timer.fire();
    });
  }
}
