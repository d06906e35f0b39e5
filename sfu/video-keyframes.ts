/** Between two requests for a key frame of one stream, ms. */
export const KEY_REQUEST_INTERVAL_MS = 500;
/** Where nothing comes each wait is twice as long as the one before it, up to this, ms, and a round trip more. */
const KEY_REQUEST_MOST_MS = 5_000;
/** Between two requests of one stream on record, ms; twice as long after each while nothing comes, up to the latter. */
const KEY_RECORD_INTERVAL_MS = 2_000;
const KEY_RECORD_MOST_MS = 30_000;

/** A request that comes less than so many round trips after a key frame left was made before that could be there: round trips vary. */
const CROSSING_ROUND_TRIPS = 1.25;
/** The same, ms, while the round trip is not known. */
const CROSSING_MS = 250;

/**
 * Whether a key frame of which the last piece left at `leftAt`, `Infinity` while it has not, and of whose arrival nothing was heard, answers a request
 * that comes now: the two crossed. `roundTrip`: between who has it and who asks, ms.
 */
export function isCrossing(leftAt: number, now: number, roundTrip: number | undefined): boolean {
  return now - leftAt < (roundTrip === undefined ? CROSSING_MS : CROSSING_ROUND_TRIPS * roundTrip);
}

/**
 * When to ask a speaker for a key frame: at once, never twice in {@link KEY_REQUEST_INTERVAL_MS} and a round trip, and ever more seldom
 * while nothing comes at all.
 */
export class KeyFrameRequests {
  #wanted = false;
  #isOnItsWay = false;
  #askedAt = Number.NEGATIVE_INFINITY;
  /** Since when one is to come unasked. */
  #expectedAt: number | undefined;
  #asked = 0;
  /** Since something came. */
  #unanswered = 0;

  /** Nothing can be decoded without one. Idempotent. */
  want(): void {
    this.#wanted = true;
    this.#expectedAt = undefined;
  }

  /** The stream goes on, with one: where none comes it is asked for. */
  expect(now: number): void {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#expectedAt = now;
  }

  /** One came. */
  came(): void {
    this.#wanted = false;
    this.#expectedAt = undefined;
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
    this.#expectedAt = undefined;
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
    if (this.#expectedAt !== undefined) return this.#expectedAt + roundTrip + KEY_REQUEST_INTERVAL_MS;
    if (!this.#isOnItsWay) return this.#askedAt + KEY_REQUEST_INTERVAL_MS;
    return (
      this.#askedAt + roundTrip + doubled(KEY_REQUEST_INTERVAL_MS, this.#unanswered, KEY_REQUEST_MOST_MS)
    );
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

  /** A listener, or a relay, asks for one, `isAnswered`: by one that is on its way there. */
  ask(isAnswered: boolean): void {
    this.#asked += 1;
    if (!isAnswered) this.#due = true;
  }

  /** The same on record: that comes after the request that it is the record of, and what answered that answers it. */
  askOnRecord(now: number): void {
    this.ask(now - this.#sentAt < KEY_REQUEST_INTERVAL_MS);
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
