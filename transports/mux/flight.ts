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
  /** When the least round trip was learnt. */
  #leastAt = 0;
  /** While streams hold back so that the path runs empty: from when on it is. */
  #emptyFrom: number | undefined;
  #drains = 0;
  #round: Round = { endsAt: 0, rate: 0, least: Number.POSITIVE_INFINITY, isLimited: false, isLoaded: false };

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
    return Math.max(MIN_CHUNK, Math.floor(this.#streamWindow / CHUNKS_IN_WINDOW));
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
    this.#learnLeast(roundTrip, mark.at, now);
    // One sample may be above what the path carries: messages come in bunches.
    if (rate > this.#rate) this.#rate += (rate - this.#rate) / (this.#isStarting ? 1 : GROWING);
    const round = this.#round;
    round.rate = Math.max(round.rate, rate);
    round.least = Math.min(round.least, roundTrip);
    round.isLimited ||= mark.isLimited;
    const isLoaded = mark.isLimited || mark.total - mark.taken > MIN_WINDOW;
    round.isLoaded ||= isLoaded;
    if (isLoaded && roundTrip > this.#least + QUEUE_MS / 2) this.#isStarting = false;
    if (mark.total >= round.endsAt) this.#endRound(round);
    if (this.#isStarting && mark.isLimited) this.#window = Math.min(MAX_WINDOW, this.#window + fresh);
    this.#size();
  }

  /** The least round trip is learnt anew again and again, from what goes out once the path has run empty: it may have become a longer one. */
  #learnLeast(roundTrip: number, sentAt: number, now: number): void {
    if (this.#emptyFrom !== undefined && sentAt >= this.#emptyFrom) {
      // A path that has just become thinner takes longer to run empty.
      const again = roundTrip > this.#least + QUEUE_MS && this.#drains < MAX_DRAINS;
      this.#emptyFrom = again ? now + roundTrip : undefined;
      this.#drains = again ? this.#drains + 1 : 0;
      if (again) return;
      this.#least = roundTrip;
      this.#leastAt = now;
    } else if (roundTrip < this.#least) {
      this.#least = roundTrip;
      this.#leastAt = now;
    } else if (this.#emptyFrom === undefined && now - this.#leastAt > LEAST_KEPT_MS)
      this.#emptyFrom = now + roundTrip;
  }

  /** Every byte that was under way when the round began has been taken. */
  #endRound({ rate, least, isLimited, isLoaded }: Round): void {
    // A queue that stood for the whole round is this side's own, and what came through is all the path carries. Otherwise one slow round
    // may be chance.
    if (isLoaded && least > this.#least + QUEUE_MS) this.#rate = rate;
    else if (isLimited) this.#rate += (rate - this.#rate) / SLOWING;
    this.#round = {
      endsAt: this.#sent,
      rate: 0,
      least: Number.POSITIVE_INFINITY,
      isLimited: false,
      isLoaded: false,
    };
  }

  #size(): void {
    if (this.#isStarting) {
      this.#streamWindow = this.#window * STREAM_SHARE;
      return;
    }
    const streams = this.#emptyFrom === undefined ? this.#least + STREAM_QUEUE_MS : this.#least / 2;
    this.#window = clamp(this.#rate * (this.#least + QUEUE_MS), MIN_WINDOW);
    this.#streamWindow = clamp(this.#rate * streams, MIN_STREAM_WINDOW);
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
  /** Enough was under way for a queue to be of this side's making, be it for want of credit that no more was. */
  isLoaded: boolean;
}

function clamp(window: number, least: number): number {
  return Math.min(MAX_WINDOW, Math.max(least, window));
}

/** Bytes under way before anything is known: ten packets. */
export const INITIAL_WINDOW = 12 * 1024;
/**
 * For datagrams, which have a limit in time as well: half a second of audio. Less would take a peer that is slow to answer, being busy, for a
 * thin path.
 */
const MIN_WINDOW = 6 * 1024;
/** For streams, two packets: the peer tells at the latest after two what it took, so that sending never waits for a timer. */
const MIN_STREAM_WINDOW = 2_400;
const MIN_CHUNK = 256;
const MAX_WINDOW = 1024 * 1024;
/** Milliseconds that bytes may queue on the way beyond the least round trip. */
const QUEUE_MS = 60;
/** Of which streams may fill so many; the rest is for datagrams. */
const STREAM_QUEUE_MS = 30;
/** What streams may fill of the window before the path is known. */
const STREAM_SHARE = 3 / 4;
/** In that of streams. */
const CHUNKS_IN_WINDOW = 8;
const MARKS_IN_WINDOW = 64;
/** Samples over which a known rate gives way to a higher one. */
const GROWING = 4;
/** Rounds over which a known rate gives way to a lower one while nothing queues. */
const SLOWING = 8;
/** Milliseconds below which a measured interval says more about the clock than about the path. */
const LEAST_INTERVAL_MS = 1;
/** Milliseconds after which the least round trip is learnt anew. */
const LEAST_KEPT_MS = 10_000;
/** Times that the path is emptied once more before a much longer round trip is believed. */
const MAX_DRAINS = 3;
