/**
 * How many bytes may be on the way: grown while the peer takes them as fast as they come, cut when they begin to queue. The socket's
 * own buffer says nothing about that, and what lies in it cannot be called back or overtaken.
 */
export class Flight {
  #window = INITIAL_WINDOW;
  #sent = 0;
  #taken = 0;
  /** When which total went out; one mark for each `MARK_BYTES` at most. */
  readonly #marks: { readonly total: number; readonly at: number }[] = [];
  /** The window was full since the last feedback. */
  #limited = false;
  #least = Number.POSITIVE_INFINITY;
  /** The least round trip of the present period: takes over when the period ends, so that a longer way is learnt. */
  #leastLately = Number.POSITIVE_INFINITY;
  #periodEnds = 0;
  #mayCutAt = 0;

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

  /** Whether stream bytes may go: they leave a quarter of the window to datagrams. */
  get takesChunk(): boolean {
    return this.#has(this.#window * STREAM_SHARE);
  }

  /** Stream bytes one message should carry now, at most: the thinner the way, the smaller, so that audio gets between. */
  get chunk(): number {
    return Math.floor(this.#window / CHUNKS_IN_WINDOW);
  }

  /** A message of `bytes` goes out. */
  sent(bytes: number, now: number): void {
    this.#sent += bytes;
    const last = this.#marks.at(-1);
    if (last === undefined || this.#sent - last.total >= MARK_BYTES)
      this.#marks.push({ total: this.#sent, at: now });
  }

  /** The peer took `total` bytes since the beginning. False for what cannot be: fewer than before, or more than were sent. */
  taken(total: number, now: number): boolean {
    if (total < this.#taken || total > this.#sent) return false;
    const fresh = total - this.#taken;
    this.#taken = total;
    let at: number | undefined;
    while (this.#marks[0] !== undefined && this.#marks[0].total <= total) at = this.#marks.shift()?.at;
    if (at !== undefined) this.#adapt(now - at, fresh, now);
    return true;
  }

  #has(limit: number): boolean {
    if (this.underWay < limit) return true;
    this.#limited = true;
    return false;
  }

  #adapt(roundTrip: number, fresh: number, now: number): void {
    if (now >= this.#periodEnds) {
      this.#least = Math.min(this.#leastLately, roundTrip);
      this.#leastLately = roundTrip;
      this.#periodEnds = now + LEAST_PERIOD_MS;
    }
    this.#least = Math.min(this.#least, roundTrip);
    this.#leastLately = Math.min(this.#leastLately, roundTrip);
    const allowed = this.#least + QUEUE_MS;
    if (roundTrip > allowed) {
      if (now < this.#mayCutAt) return;
      this.#window = Math.max(MIN_WINDOW, (this.#window * allowed) / roundTrip);
      this.#mayCutAt = now + roundTrip;
    } else if (this.#limited) this.#window = Math.min(MAX_WINDOW, this.#window + fresh);
    this.#limited = false;
  }
}

/** Bytes under way before anything is known. */
export const INITIAL_WINDOW = 64 * 1024;
/** More than two feedbacks' worth: a peer whose timers are slowed down (a page in the background) still keeps audio going. */
export const MIN_WINDOW = 12 * 1024;
const MAX_WINDOW = 1024 * 1024;
/** Milliseconds that bytes may queue on the way beyond the least round trip. */
const QUEUE_MS = 60;
const STREAM_SHARE = 3 / 4;
const CHUNKS_IN_WINDOW = 8;
const MARK_BYTES = 1_024;
/** Milliseconds after which an old least round trip is forgotten. */
const LEAST_PERIOD_MS = 30_000;
