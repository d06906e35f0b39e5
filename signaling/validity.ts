/** How far the clocks of two ends may differ before a signed time is refused, seconds. */
export const CLOCK_SKEW_SECONDS = 30;

/**
 * True when `now` (Unix milliseconds) lies between two signed times (Unix seconds), give or take
 * {@link CLOCK_SKEW_SECONDS}.
 */
export function isCurrent(from: number, to: number, now: number): boolean {
  const seconds = now / 1000;
  return seconds >= from - CLOCK_SKEW_SECONDS && seconds <= to + CLOCK_SKEW_SECONDS;
}

/** Unix milliseconds to the whole seconds that signed objects carry. */
export function toSeconds(now: number): number {
  return Math.floor(now / 1000);
}
