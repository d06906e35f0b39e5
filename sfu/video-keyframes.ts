/** Between two requests for a key frame of one stream, ms. */
export const KEY_REQUEST_INTERVAL_MS = 500;
/** A key frame that was asked for is on its way for so long, ms, or twice the round trip if that is longer: then it is asked for again. */
export const KEY_ON_ITS_WAY_MS = 1_000;
/** Where nothing comes each wait is twice as long as the one before it, up to this, ms, or twice the round trip if that is longer. */
const KEY_REQUEST_MOST_MS = 5_000;
/** Between two requests of one stream on record, ms; twice as long after each while nothing comes, up to the latter. */
const KEY_RECORD_INTERVAL_MS = 2_000;
const KEY_RECORD_MOST_MS = 30_000;

/**
 * When to ask a speaker for a key frame: at once, not while one is on its way, never twice in {@link KEY_REQUEST_INTERVAL_MS}, and ever more seldom
 * while nothing comes at all.
 */
export class KeyFrameRequests {
  #wanted = false;
  #isOnItsWay = false;
  #askedAt = Number.NEGATIVE_INFINITY;
  #asked = 0;
  /** Since something came. */
  #unanswered = 0;

  /** Nothing can be decoded without one. Idempotent. */
  want(): void {
    this.#wanted = true;
  }

  /** One came. */
  came(): void {
    this.#wanted = false;
    this.#isOnItsWay = false;
    this.#unanswered = 0;
  }

  /** Something else of the stream came, or it has another way: what is asked is heard now, maybe. */
  startOver(): void {
    this.#unanswered = 0;
  }

  /** Whether to ask now; counts as asked then. */
  poll(now: number, roundTrip: number = 0): boolean {
    if (!this.#wanted || now < this.#due(roundTrip)) return false;
    this.#askedAt = now;
    this.#isOnItsWay = true;
    this.#asked += 1;
    this.#unanswered += 1;
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
    if (!this.#isOnItsWay) return this.#askedAt + KEY_REQUEST_INTERVAL_MS;
    const wait = doubled(KEY_ON_ITS_WAY_MS, this.#unanswered, KEY_REQUEST_MOST_MS);
    return this.#askedAt + Math.max(wait, 2 * roundTrip);
  }
}

/** When a request for a key frame is also one for the record: at most each {@link KEY_RECORD_INTERVAL_MS}, and ever more seldom while nothing comes. */
export class KeyFrameRecord {
  #at = Number.NEGATIVE_INFINITY;
  #unanswered = 0;

  /** Something of the stream came, or it has another way. */
  startOver(): void {
    this.#unanswered = 0;
  }

  /** Whether the request that is made now is recorded; counts as recorded then. */
  takes(now: number): boolean {
    if (now < this.#at + doubled(KEY_RECORD_INTERVAL_MS, this.#unanswered, KEY_RECORD_MOST_MS)) return false;
    this.#at = now;
    this.#unanswered += 1;
    return true;
  }
}

/** `first` where at most one went unanswered, twice that after each more. */
function doubled(first: number, unanswered: number, most: number): number {
  return Math.min(most, first * 2 ** Math.max(0, unanswered - 1));
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
