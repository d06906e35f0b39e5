/** Every kind of deadline the switchboard keeps. */
export type TimerKind =
  /** Nobody answered: by offer key. */
  | "ring"
  /** Who waits for the answer over TLS is told that it still rings: by offer key. */
  | "still-ringing"
  /** The callee's inbox or the caller's exchange did not come back: by offer key. */
  | "callee-gone"
  | "caller-gone"
  /** By inbox: Agent-ID, a slash and its name. */
  | "heartbeat"
  | "inbox-expiry"
  /** By connection: nobody proved an identity on it. */
  | "unbound"
  /** By exchange: the reader of an evidence file does not take the next piece. */
  | "evidence"
  /** By session id: an end has no connection for media, for too long. */
  | "attach-caller"
  | "attach-callee"
  /** By session id: the other end does not answer what the caller, or the callee, wants changed. */
  | "change-caller"
  | "change-callee"
  /** By session id: a stream that was closed waits for its last statements. */
  | "streams"
  /** By session id: nobody resumed it. */
  | "resume-by"
  /** By session id. */
  | "ttl"
  | "idle"
  /** By session id: the authority of its ends is judged again. */
  | "authority"
  | "closing"
  | "counters"
  | "reports"
  /** Without id. */
  | "certificates"
  | "drain"
  /** The next look for records that have become too old. */
  | "retention";

export interface Timer {
  readonly kind: TimerKind;
  readonly id: string;
}

interface Entry extends Timer {
  readonly at: number;
  readonly key: string;
}

/**
 * Deadlines as data: at most one per (kind, id), next = earliest. As many as the switchboard has sessions, offers and
 * inboxes, which are capped where they live.
 */
export class Timers {
  /** A binary heap by `at`. An entry that is not the one in `#live` was cleared or moved, and is skipped. */
  #heap: Entry[] = [];
  readonly #live = new Map<string, Entry>();

  /** Deadlines that stand. */
  get size(): number {
    return this.#live.size;
  }

  /** Sets or moves the deadline, in the time of `now`. */
  set(kind: TimerKind, id: string, at: number): void {
    const key = `${kind} ${id}`;
    const entry = { kind, id, at, key };
    this.#live.set(key, entry);
    this.#push(entry);
    // Moved deadlines leave dead entries behind; they must not outnumber the live ones for long.
    if (this.#heap.length > 64 && this.#heap.length > 4 * this.#live.size) this.#compact();
  }

  /** The clock was set by `by` milliseconds: waits last as long as they would have. A date that was agreed stays that date. */
  shift(by: number): void {
    const shifted = [...this.#live.values()].map((entry) =>
      entry.kind === "ttl" || entry.kind === "resume-by" ? entry : { ...entry, at: entry.at + by },
    );
    this.#live.clear();
    this.#heap = [];
    for (const entry of shifted) {
      this.#live.set(entry.key, entry);
      this.#push(entry);
    }
  }

  clear(kind: TimerKind, id: string): void {
    this.#live.delete(`${kind} ${id}`);
  }

  /** The earliest deadline, if any. */
  next(): number | undefined {
    this.#skipDead();
    return this.#heap[0]?.at;
  }

  /** Takes one deadline that `now` has reached, the earliest first. */
  due(now: number): Timer | undefined {
    this.#skipDead();
    const first = this.#heap[0];
    if (first === undefined || first.at > now) return undefined;
    this.#pop();
    this.#live.delete(first.key);
    return first;
  }

  #skipDead(): void {
    for (let first = this.#heap[0]; first !== undefined; first = this.#heap[0]) {
      if (this.#live.get(first.key) === first) return;
      this.#pop();
    }
  }

  #compact(): void {
    const live = [...this.#live.values()];
    this.#heap = [];
    for (const entry of live) this.#push(entry);
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(entry);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || above.at <= entry.at) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      const left = heap[child];
      if (left === undefined) break;
      const right = heap[child + 1];
      let smaller = left;
      if (right !== undefined && right.at < left.at) {
        smaller = right;
        child++;
      }
      if (smaller.at >= last.at) break;
      heap[index] = smaller;
      index = child;
    }
    heap[index] = last;
  }
}
