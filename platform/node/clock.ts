import type { Clock } from "../../codecs/clock.ts";
import { clockOver } from "../timers.ts";

/** How a system clock treats the process it runs in. */
export interface SystemClockOptions {
  /**
   * Whether a pending timer keeps the process alive. Default false: a timer paces work that something else, a socket
   * or a file, waits for; a program whose only work is timed sets true.
   */
  readonly keepAlive?: boolean;
}

/** The machine's clock, with the timers of `clockOver`. */
export function createClock(options: SystemClockOptions = {}): Clock {
  const keepAlive = options.keepAlive ?? false;
  return clockOver((wait, wake) => {
    const timer = setTimeout(wake, wait);
    if (!keepAlive) timer.unref();
    return () => clearTimeout(timer);
  });
}

/** A {@link createClock} whose timers do not keep the process alive. */
export const systemClock: Clock = createClock();
