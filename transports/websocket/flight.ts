/**
 * How many bytes may be on the way: what the path is seen to carry in its least round trip and a little longer. The socket's own
 * buffer says nothing about that, and what lies in it cannot be called back or overtaken.
 */
export class Flight {
  #window = INITIAL_WINDOW;
  #streamWindow = INITIAL_WINDOW * STREAM_SHARE;
  #sent = 0;
  #taken = 0;
  /** When the peer last told what it took. */
  #takenAt = 0;
  readonly #marks: Mark[] = [];
  /** Bytes a millisecond that the path is known to carry. */
  #rate = 0;
  /** Nothing has queued yet: the window may double each round. */
  #isStarting = true;
  /** More would be sent if the window took it. */
  #isLimited = false;
  #least = Number.POSITIVE_INFINITY;
  /** When the least round trip was last seen. */
  #leastAt = 0;
  /** Until when streams hold back so that the path runs empty and shows its least round trip. */
  #drainsUntil: number | undefined;
  #leastDrained = Number.POSITIVE_INFINITY;
  #round: Round = { endsAt: 0, rate: 0, least: Number.POSITIVE_INFINITY, isLimited: false };

  /** Bytes that may be under way at once. */
  get window(): number {
    return this.#window;
  }

  /** Bytes under way: sent, and not yet taken by the peer. */
  get underWay(): number {
    return this.#sent - this.#taken;
  }

  /** Whether a datagram may go. */
  get takesDatagram(): boolean {
    return this.#has(this.#window);
  }

  /** Whether stream bytes may go: they leave room to datagrams. */
  get takesChunk(): boolean {
    return this.#has(this.#streamWindow);
  }

  /** Stream bytes one message should carry now, at most: the thinner the way, the smaller, so that audio gets between. */
  get chunk(): number {
    return Math.floor(this.#window / CHUNKS_IN_WINDOW);
  }

  /** There is nothing more to send: what comes back from here on says nothing about what the path could carry. */
  idle(): void {
    this.#isLimited = false;
  }

  /** A message of `bytes` goes out. */
  sent(bytes: number, now: number): void {
    const known = { taken: this.#taken, takenAt: this.underWay === 0 ? now : this.#takenAt };
    this.#sent += bytes;
    const last = this.#marks.at(-1);
    if (last === undefined || this.#sent - last.total >= this.#window / MARKS_IN_WINDOW)
      this.#marks.push({ total: this.#sent, at: now, ...known, isLimited: this.#isLimited });
  }

  /** The peer took `total` bytes since the beginning. False for what cannot be: fewer than before, or more than were sent. */
  taken(total: number, now: number): boolean {
    if (total < this.#taken || total > this.#sent) return false;
    const fresh = total - this.#taken;
    this.#taken = total;
    this.#takenAt = now;
    let mark: Mark | undefined;
    while (this.#marks[0] !== undefined && this.#marks[0].total <= total) mark = this.#marks.shift();
    if (mark !== undefined) this.#learn(mark, fresh, now);
    return true;
  }

  #has(limit: number): boolean {
    if (this.underWay < limit) return true;
    this.#isLimited = true;
    return false;
  }

  #learn(mark: Mark, fresh: number, now: number): void {
    const roundTrip = now - mark.at;
    const rate = (this.#taken - mark.taken) / Math.max(now - mark.takenAt, LEAST_INTERVAL_MS);
    this.#learnLeast(roundTrip, now);
    // One sample may be above what the path carries: messages come in bunches.
    if (rate > this.#rate) this.#rate += (rate - this.#rate) / (this.#isStarting ? 1 : GROWING);
    const round = this.#round;
    round.rate = Math.max(round.rate, rate);
    round.least = Math.min(round.least, roundTrip);
    round.isLimited ||= mark.isLimited;
    if (mark.isLimited && roundTrip > this.#least + QUEUE_MS / 2) this.#isStarting = false;
    if (mark.total >= round.endsAt) this.#endRound(round);
    if (this.#isStarting && mark.isLimited) this.#window = Math.min(MAX_WINDOW, this.#window + fresh);
    this.#size(now);
  }

  #learnLeast(roundTrip: number, now: number): void {
    if (roundTrip <= this.#least + LEAST_TOLERANCE_MS) {
      this.#least = Math.min(this.#least, roundTrip);
      this.#leastAt = now;
    }
    if (this.#drainsUntil === undefined) {
      if (now - this.#leastAt < LEAST_KEPT_MS) return;
      this.#drainsUntil = now + 2 * roundTrip;
      this.#leastDrained = roundTrip;
      return;
    }
    this.#leastDrained = Math.min(this.#leastDrained, roundTrip);
    if (now < this.#drainsUntil) return;
    // What an empty path takes now is its least, even if it was less before.
    this.#drainsUntil = undefined;
    this.#least = this.#leastDrained;
    this.#leastAt = now;
  }

  /** Every byte that was under way when the round began has been taken. */
  #endRound({ rate, least, isLimited }: Round): void {
    if (isLimited) {
      // A queue that stood for the whole round is this side's own, and what came through is all the path carries. Otherwise one slow round
      // may be chance.
      const stood = least > this.#least + QUEUE_MS;
      this.#rate = stood ? rate : this.#rate + (rate - this.#rate) / SLOWING;
    }
    this.#round = { endsAt: this.#sent, rate: 0, least: Number.POSITIVE_INFINITY, isLimited: false };
  }

  #size(now: number): void {
    if (this.#isStarting) {
      this.#streamWindow = this.#window * STREAM_SHARE;
      return;
    }
    const isDraining = this.#drainsUntil !== undefined && now < this.#drainsUntil;
    const streams = isDraining ? this.#least / 2 : this.#least + STREAM_QUEUE_MS;
    this.#window = clamp(this.#rate * (this.#least + QUEUE_MS), MIN_WINDOW);
    this.#streamWindow = clamp(this.#rate * streams, MIN_WINDOW / 2);
  }
}

/** What was known when a message went out. */
interface Mark {
  /** Bytes sent up to its end. */
  readonly total: number;
  readonly at: number;
  /** Bytes taken by then, as far as was known, and since when. */
  readonly taken: number;
  readonly takenAt: number;
  readonly isLimited: boolean;
}

/** What one round showed: from a message going out until it was taken. */
interface Round {
  /** Bytes taken at which it ends. */
  readonly endsAt: number;
  rate: number;
  least: number;
  isLimited: boolean;
}

function clamp(window: number, least: number): number {
  return Math.min(MAX_WINDOW, Math.max(least, window));
}

/** Bytes under way before anything is known: ten packets. */
export const INITIAL_WINDOW = 12 * 1024;
/** Two packets: the peer tells at the latest after two what it took, so that sending never waits for a timer. */
const MIN_WINDOW = 2_400;
const MAX_WINDOW = 1024 * 1024;
/** Milliseconds that bytes may queue on the way beyond the least round trip. */
const QUEUE_MS = 60;
/** Of which streams may fill so many; the rest is for datagrams. */
const STREAM_QUEUE_MS = 30;
/** What streams may fill of the window before the path is known. */
const STREAM_SHARE = 3 / 4;
const CHUNKS_IN_WINDOW = 8;
const MARKS_IN_WINDOW = 64;
/** Samples over which a known rate gives way to a higher one. */
const GROWING = 4;
/** Rounds over which a known rate gives way to a lower one while nothing queues. */
const SLOWING = 8;
/** Milliseconds below which a measured interval says more about the clock than about the path. */
const LEAST_INTERVAL_MS = 1;
const LEAST_TOLERANCE_MS = 1;
/** Milliseconds after which the least round trip has to show itself again. */
const LEAST_KEPT_MS = 10_000;
