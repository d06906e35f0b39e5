import type { Clock } from "../../codecs/clock.ts";

/** How far the wall clock may part from the time kept here before it counts as a step, ms; smaller drifts are not followed. */
export const STEP_MS = 1_000;

/**
 * The two times of a server, both in Unix milliseconds and both carried on by the monotonic clock. Media time is anchored
 * once: no step of the machine's clock makes a frame stale. Wall time follows such steps, since signed dates and agreed
 * lifetimes are judged by it.
 */
export class ServerTime {
  readonly #clock: Clock;
  readonly #mediaOffset: number;
  #wallOffset: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#mediaOffset = clock.wall() - clock.now();
    this.#wallOffset = this.#mediaOffset;
  }

  /** Monotonic milliseconds. */
  now(): number {
    return this.#clock.now();
  }

  /** Media time at monotonic `now`. */
  mediaAt(now: number): number {
    return now + this.#mediaOffset;
  }

  /** Wall time at monotonic `now`. */
  wallAt(now: number): number {
    return now + this.#wallOffset;
  }

  /** When, on the monotonic clock, the wall time will be `wall` unless it steps. */
  monotonicAt(wall: number): number {
    return wall - this.#wallOffset;
  }

  /** Looks at the wall clock; after a step it is anchored anew. Returns the step in ms, back below zero, 0 for none. */
  follow(): number {
    const offset = this.#clock.wall() - this.#clock.now();
    const step = offset - this.#wallOffset;
    if (Math.abs(step) <= STEP_MS) return 0;
    this.#wallOffset = offset;
    return step;
  }
}
