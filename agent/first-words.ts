import type { Clock } from "../codecs/clock.ts";

/** Words go out for so long, ms, and two round trips of this end's own way more, before the other end has to show that they arrive. */
const UNSEEN_MS = 600;
const ROUND_TRIPS = 2;

export interface FirstWordsOptions {
  readonly clock: Clock;
  /** Of this end's way to the server, milliseconds; undefined while it is not known. */
  readonly roundTrip: () => number | undefined;
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
    const { clock } = this.#options;
    const first = clock.now();
    this.#cancel = clock.at(first + UNSEEN_MS, () => this.#look(first));
  }

  /** The other end is there, or is waited for in another way. Idempotent. */
  seen(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#cancel();
    this.#options.goOn();
  }

  /** The call is over. */
  finish(): void {
    this.#state = "over";
    this.#cancel();
  }

  #look(first: number): void {
    const { clock, roundTrip, wait } = this.#options;
    const until = first + UNSEEN_MS + ROUND_TRIPS * (roundTrip() ?? 0);
    if (clock.now() >= until) wait();
    else this.#cancel = clock.at(until, wait);
  }
}
