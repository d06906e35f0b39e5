/** Something that speaks into a call until it is stopped. */
export interface Voice {
  /** Speaks no more. Idempotent. */
  stop(): void;
}
