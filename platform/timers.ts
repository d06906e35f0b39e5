import type { Clock } from "../codecs/clock.ts";

/** Calls `wake` once after about `wait` whole milliseconds; the returned function cancels. */
export type Sleep = (wait: number, wake: () => void) => () => void;

/**
 * A clock over the machine's own. `now()` is `performance.now()`, so it never steps; `wall()` is `Date.now()`, which may.
 *
 * A timer never fires before its instant, and a late one does not delay those after it: whoever paces by deadlines
 * (`at(deadline += 20, …)`) does not drift. A callback whose instant has passed still runs later, never inside `at()`.
 */
export function clockOver(sleep: Sleep): Clock {
  return {
    now: () => performance.now(),
    wall: () => Date.now(),
    at(at, fire) {
      let cancel: () => void;
      const arm = (): void => {
        // Timers count whole milliseconds and sometimes wake a fraction early: rounding up, then asking the clock again.
        const wait = Math.min(Math.max(0, Math.ceil(at - performance.now())), LONGEST_TIMEOUT_MS);
        cancel = sleep(wait, wake);
      };
      const wake = (): void => {
        if (performance.now() < at) arm();
        else fire();
      };
      arm();
      return () => cancel();
    },
  };
}

/** `setTimeout` fires at once beyond 31 bits; longer waits are taken in steps. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;
