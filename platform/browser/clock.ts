import type { Clock } from "../../codecs/clock.ts";
import { clockOver, type Sleep } from "../timers.ts";
import { inlineModule } from "./inline-module.ts";

/**
 * The page's clock, with the timers of `clockOver`. Its timers run in a worker, because browsers slow those of a page that is
 * hidden down to one a second, and a call goes on there. Where no worker can be had they are the page's own.
 */
export function createClock(): Clock {
  return clockOver(workerSleep() ?? pageSleep);
}

const pageSleep: Sleep = (wait, wake) => {
  const timer = setTimeout(wake, wait);
  return () => clearTimeout(timer);
};

/** Timers in a worker; undefined where the page may not have one. */
function workerSleep(): Sleep | undefined {
  let worker: Worker | undefined;
  let last = 0;
  /** What is due when, by timer. */
  const waiting = new Map<number, { readonly due: number; readonly wake: () => void }>();
  const fire = (timer: number): void => {
    const due = waiting.get(timer);
    waiting.delete(timer);
    due?.wake();
  };
  try {
    const url = inlineModule(timerWorker);
    worker = new Worker(url);
    URL.revokeObjectURL(url);
  } catch {
    return undefined;
  }
  worker.addEventListener("message", ({ data }: MessageEvent<number>) => fire(data));
  // A policy of the page refuses the worker only now: whoever waits for it waits here instead.
  worker.addEventListener("error", () => {
    worker = undefined;
    for (const [timer, { due }] of waiting) setTimeout(() => fire(timer), due - performance.now());
  });
  return (wait, wake) => {
    if (worker === undefined) return pageSleep(wait, wake);
    last += 1;
    const timer = last;
    waiting.set(timer, { due: performance.now() + wait, wake });
    worker.postMessage({ timer, wait });
    return () => {
      if (waiting.delete(timer)) worker?.postMessage({ timer });
    };
  };
}

/** Runs in the worker: a wait to begin, or without `wait` one to forget. */
function timerWorker(): void {
  const timers = new Map<number, ReturnType<typeof setTimeout>>();
  self.addEventListener("message", ({ data }: MessageEvent<{ timer: number; wait?: number }>) => {
    const { timer, wait } = data;
    if (wait === undefined) {
      clearTimeout(timers.get(timer));
      timers.delete(timer);
      return;
    }
    timers.set(
      timer,
      setTimeout(() => {
        timers.delete(timer);
        self.postMessage(timer);
      }, wait),
    );
  });
}
