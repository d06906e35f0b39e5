/** Time as drivers get it. Pure cores take `now` as an argument instead. */
export interface Clock {
  /** Monotonic milliseconds, fractional, from an arbitrary origin. */
  now(): number;
  /** Wall-clock milliseconds since the Unix epoch. */
  wall(): number;
  /** Calls `fire` once when `now()` reaches `at`. The returned function cancels; calling it late or twice is fine. */
  at(at: number, fire: () => void): () => void;
}
