/** How TLS connections ended otherwise than by the client's own leave, counted by a listener for all of its own. */
export interface TlsCounters {
  /** No request for the idle limit. */
  idle: number;
  /** A request that was none; it was answered. */
  malformed: number;
  /** The client left inside a request, which was dropped. */
  cutShort: number;
  /** Closed as `overloaded`: the client did not read what waited for it, or could not be taken. */
  overloaded: number;
  /** An exchange was broken off by this side, or its request given up. */
  brokenOff: number;
}

/** Counters that all stand at 0. */
export function createTlsCounters(): TlsCounters {
  return { idle: 0, malformed: 0, cutShort: 0, overloaded: 0, brokenOff: 0 };
}
