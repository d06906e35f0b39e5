import type { Clock } from "../../codecs/clock.ts";

/** How a system clock treats the process it runs in. */
export interface SystemClockOptions {
  /**
   * Whether a pending timer keeps the process alive. Default false: a timer paces work that something else, a socket
   * or a file, waits for; a program whose only work is timed sets true.
   */
  readonly keepAlive?: boolean;
}

/**
 * The machine's clock. `now()` is `performance.now()`, so it never steps; `wall()` is `Date.now()`, which may.
 *
 * A timer never fires before its instant, and a late one does not delay those after it: whoever paces by deadlines
 * (`at(deadline += 20, …)`) does not drift. A callback whose instant has passed still runs later, never inside `at()`.
 */
export function createClock(options: SystemClockOptions = {}): Clock {
  const keepAlive = options.keepAlive ?? false;
  return {
    now: () => performance.now(),
    wall: () => Date.now(),
    at(at, fire) {
      let timer: NodeJS.Timeout;
      const arm = (): void => {
        // Node counts whole milliseconds and sometimes wakes a fraction early: rounding up, then asking the clock again.
        const wait = Math.min(Math.max(0, Math.ceil(at - performance.now())), LONGEST_TIMEOUT_MS);
        timer = setTimeout(wake, wait);
        if (!keepAlive) timer.unref();
      };
      const wake = (): void => {
        if (performance.now() < at) arm();
        else fire();
      };
      arm();
      return () => clearTimeout(timer);
    },
  };
}

/** A {@link createClock} whose timers do not keep the process alive. */
export const systemClock: Clock = createClock();

/** `setTimeout` fires at once beyond 31 bits; longer waits are taken in steps. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;
