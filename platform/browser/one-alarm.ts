import type { Sleep } from "../timers.ts";

/** One wait. */
interface Wait {
  /** Monotonic milliseconds. */
  readonly due: number;
  readonly wake: () => void;
}

/** Any number of waits over one alarm. */
export interface OneAlarm {
  readonly sleep: Sleep;
  /** The alarm went off: who is due is woken, in order. Those who begin to wait meanwhile are not. */
  rang(): void;
}

/**
 * Waits by one alarm, which `set` makes go off after so many milliseconds, in place of where it was set to before. It is set only
 * for a wait that is due before it: one that is given up costs nothing, and each that is not the next one next to nothing.
 */
export function oneAlarm(set: (wait: number) => void, now: () => number): OneAlarm {
  /** In the order in which they are due, those of one instant in the order in which they came. */
  const waits: Wait[] = [];
  let alarm = Number.POSITIVE_INFINITY;

  const setFor = ({ due }: Wait): void => {
    alarm = due;
    set(Math.max(0, due - now()));
  };

  return {
    sleep(milliseconds, wake) {
      const wait = { due: now() + milliseconds, wake };
      let at = waits.length;
      while (at > 0 && (waits[at - 1] as Wait).due > wait.due) at -= 1;
      waits.splice(at, 0, wait);
      if (wait.due < alarm) setFor(wait);
      return () => {
        const index = waits.indexOf(wait);
        if (index >= 0) waits.splice(index, 1);
      };
    },
    rang() {
      const time = now();
      const due = new Set(waits.filter((wait) => wait.due <= time));
      // Set for nobody until all of them are done, and then for all who wait.
      alarm = Number.NEGATIVE_INFINITY;
      try {
        for (const wait of due) {
          const index = waits.indexOf(wait);
          // One of them may give up another.
          if (index < 0) continue;
          waits.splice(index, 1);
          wait.wake();
        }
      } finally {
        alarm = Number.POSITIVE_INFINITY;
        const [next] = waits;
        if (next !== undefined) setFor(next);
      }
    },
  };
}
