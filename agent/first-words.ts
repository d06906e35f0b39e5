import type { Clock } from "../codecs/clock.ts";

/** Words go out for so long, ms, and for the round trip to the other end more, before that has to show that they arrive. */
const UNSEEN_MS = 600;
/** A round trip that is said to take longer is not waited for, ms. */
const LONGEST_ROUND_TRIP_MS = 2_500;

export interface FirstWordsOptions {
  readonly clock: Clock;
  /** To the other end, as far as it is known, milliseconds. */
  readonly roundTrip: number;
  /** What is said waits from now on, or goes on. */
  readonly wait: () => void;
  readonly goOn: () => void;
}

/**
 * The beginning of a call, seen from a speaker: its first words go at once, and the other end keeps them until its media is ready. Where nothing
 * shows within a moment that they arrive, what follows waits for that, so that little has to be kept and none is lost.
 */
export class FirstWords {
  readonly #options: FirstWordsOptions;
  #state: "unsaid" | "unseen" | "over" = "unsaid";
  #cancel: () => void = () => {};

  constructor(options: FirstWordsOptions) {
    this.#options = options;
  }

  /** A frame was sent. */
  sent(): void {
    if (this.#state !== "unsaid") return;
    this.#state = "unseen";
    const { clock, roundTrip, wait } = this.#options;
    const patience = UNSEEN_MS + Math.min(roundTrip, LONGEST_ROUND_TRIP_MS);
    this.#cancel = clock.at(clock.now() + patience, wait);
  }

  /** The other end is there. Idempotent. */
  seen(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#cancel();
    this.#options.goOn();
  }

  /** It was away, and what went there meanwhile is lost: what is said from now on has to be seen to arrive as at the beginning. */
  anew(): void {
    if (this.#state === "over") return;
    this.#state = "unsaid";
    this.#cancel();
    this.#options.goOn();
  }

  /** The call is over. */
  finish(): void {
    this.#state = "over";
    this.#cancel();
  }
}
