/** Between two requests for a key frame of one stream, ms. */
export const KEY_REQUEST_INTERVAL_MS = 500;
/** A key frame that was asked for is on its way for so long, ms, or twice the round trip if that is longer: then it is asked for again. */
export const KEY_ON_ITS_WAY_MS = 1_000;

/** When to ask a speaker for a key frame: at once, not while one is on its way, and never twice in {@link KEY_REQUEST_INTERVAL_MS}. */
export class KeyFrameRequests {
  #wanted = false;
  #isOnItsWay = false;
  #askedAt = Number.NEGATIVE_INFINITY;
  #asked = 0;

  /** Nothing can be decoded without one. Idempotent. */
  want(): void {
    this.#wanted = true;
  }

  /** One came. */
  came(): void {
    this.#wanted = false;
    this.#isOnItsWay = false;
  }

  /** Whether to ask now; counts as asked then. */
  poll(now: number, roundTrip: number = 0): boolean {
    if (!this.#wanted || now < this.#due(roundTrip)) return false;
    this.#askedAt = now;
    this.#isOnItsWay = true;
    this.#asked += 1;
    return true;
  }

  /** When to ask, where one is wanted. */
  nextTimeout(roundTrip: number = 0): number | undefined {
    return this.#wanted ? this.#due(roundTrip) : undefined;
  }

  /** Requests made. */
  get asked(): number {
    return this.#asked;
  }

  #due(roundTrip: number): number {
    return (
      this.#askedAt +
      (this.#isOnItsWay ? Math.max(KEY_ON_ITS_WAY_MS, 2 * roundTrip) : KEY_REQUEST_INTERVAL_MS)
    );
  }
}

/** Whether an encoder is to make a key frame: it was asked for one, and none that was sent since is on its way. */
export class KeyFrameDue {
  #due: boolean;
  #sentAt = Number.NEGATIVE_INFINITY;
  #asked = 0;

  /** `isDue`: the first unit has to be one. */
  constructor(isDue: boolean = true) {
    this.#due = isDue;
  }

  /** A listener, or a relay, asks for one. `roundTrip`: to who asks; one sent less than that ago answers it already. */
  ask(now: number, roundTrip: number = 0): void {
    this.#asked += 1;
    if (now - this.#sentAt >= Math.max(KEY_REQUEST_INTERVAL_MS / 2, roundTrip)) this.#due = true;
  }

  /** The stream cannot go on without one, whatever is on its way. */
  require(): void {
    this.#due = true;
  }

  sent(now: number): void {
    this.#due = false;
    this.#sentAt = now;
  }

  get isDue(): boolean {
    return this.#due;
  }

  /** Requests that came. */
  get asked(): number {
    return this.#asked;
  }
}
