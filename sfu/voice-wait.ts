import { quantile } from "./quantile.ts";

/** Of the frames that came last at most three of a hundred shall be later than the voice by more than this, ms: nobody notices less. */
const ON_TIME_SHARE = 0.97;
const UNNOTICED_MS = 10;
/** Frames that are looked at. The oldest gives way. */
const FRAMES = 240;
/** With fewer nothing is known yet. */
const FEWEST = 60;
/** What comes so soon after the first frame comes behind a key frame larger than all that follow, ms: it says nothing of those. */
const FIRST_MS = 2_000;
/** Nothing is waited for of which nothing came for so long, ms. */
const GONE_MS = 10_000;
/** Frames that come late within this time of each other are seen as one, ms: the last. */
const TOGETHER_MS = 5;
/** The voice never waits for longer, ms: who talks minds that more than who looks minds the rest. */
const MOST_MS = 100;
/** It waits longer, or less long, by small steps that a listener does not hear, ms. */
const STEP_EVERY_MS = 200;
const LONGER_MS = 10;
const SHORTER_MS = 2;

/** Says how much later than it needs itself a voice is to be played so that most frames of the video beside it can be shown in step with it. */
export class VoiceWait {
  /** From capture until a frame could be shown. */
  readonly #ready: number[] = [];
  #readyAt = Number.NEGATIVE_INFINITY;
  #countsFrom = 0;
  #lateAt = Number.NEGATIVE_INFINITY;
  #wait = 0;
  #steppedAt = Number.NEGATIVE_INFINITY;

  /** At `now` a frame of that capture time could be shown that was to be at `due`. */
  ready(captured: number, now: number, due: number): void {
    if (now - this.#readyAt > GONE_MS) {
      this.#countsFrom = now + FIRST_MS;
      this.#ready.length = 0;
    }
    this.#readyAt = now;
    if (now < this.#countsFrom) return;
    if (now - this.#lateAt < TOGETHER_MS) this.#ready.pop();
    if (due < now) this.#lateAt = now;
    this.#ready.push(now - captured);
    if (this.#ready.length > FRAMES) this.#ready.shift();
  }

  /** Milliseconds, for a voice that is heard `delay` after its capture as things are. Ask often: it changes by steps. */
  at(now: number, delay: number): number {
    if (now - this.#steppedAt < STEP_EVERY_MS) return this.#wait;
    this.#steppedAt = now;
    const wanted = this.#wanted(now, delay);
    const present = this.#wait;
    this.#wait =
      wanted > present ? Math.min(wanted, present + LONGER_MS) : Math.max(wanted, present - SHORTER_MS);
    return this.#wait;
  }

  #wanted(now: number, delay: number): number {
    if (this.#ready.length < FEWEST || now - this.#readyAt > GONE_MS) return 0;
    const needed = quantile(
      this.#ready.toSorted((a, b) => a - b),
      ON_TIME_SHARE,
    );
    const beyond = (needed ?? 0) - UNNOTICED_MS - (delay - this.#wait);
    return Math.max(0, Math.min(MOST_MS, beyond));
  }
}
