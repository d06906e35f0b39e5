/** How long an agent waits before it tries to come online again. */
export interface BackOff {
  /** Longest wait before the first try, milliseconds; it doubles with each further one. Default 1,000. */
  readonly firstDelay?: number;
  /** No wait is longer, milliseconds. Default 30,000. */
  readonly maxDelay?: number;
}

export const DEFAULT_BACK_OFF: Required<BackOff> = { firstDelay: 1_000, maxDelay: 30_000 };

/**
 * Milliseconds to wait before the try that follows `failures` others: anything from nothing to the doubled delay, so that
 * agents that lost their server together do not come back together. `random` gives bytes from a cryptographic generator.
 */
export function backOffDelay(
  failures: number,
  { firstDelay, maxDelay }: Required<BackOff>,
  random: (length: number) => Uint8Array,
): number {
  const ceiling = Math.min(maxDelay, firstDelay * 2 ** failures);
  const bytes = random(4);
  return (ceiling * new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0)) / 2 ** 32;
}
