import type { Clock } from "../../codecs/clock.ts";
import { clockOver, type Sleep } from "../timers.ts";
import { inlineModule } from "./inline-module.ts";
import { oneAlarm } from "./one-alarm.ts";

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
  let worker: Worker;
  try {
    const url = inlineModule(alarmWorker);
    worker = new Worker(url);
    URL.revokeObjectURL(url);
  } catch {
    return undefined;
  }
  let isRefused = false;
  let cancel: (() => void) | undefined;
  const own = (wait: number): void => {
    cancel?.();
    cancel = pageSleep(wait, () => alarm.rang());
  };
  const alarm = oneAlarm(
    (wait) => (isRefused ? own(wait) : worker.postMessage(wait)),
    () => performance.now(),
  );
  worker.addEventListener("message", () => alarm.rang());
  // A policy of the page refuses the worker only now: whoever waits for it waits here instead.
  worker.addEventListener("error", () => {
    isRefused = true;
    alarm.rang();
  });
  return alarm.sleep;
}

/** Runs in the worker: says when so many milliseconds are over, unless it is told of others before. */
function alarmWorker(): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  self.addEventListener("message", ({ data }: MessageEvent<number>) => {
    clearTimeout(timer);
    timer = setTimeout(() => self.postMessage(undefined), data);
  });
}
