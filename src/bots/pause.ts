/** Waits; not at all for what is below zero. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, milliseconds)));
}

/** Waits until `time` on `performance.now()`, or until it is to stop. */
export async function waitUntil(time: number, stop: AbortSignal): Promise<void> {
  while (!stop.aborted && performance.now() < time) await pause(Math.min(LOOK_MS, time - performance.now()));
}

/** How soon a stop is seen. */
const LOOK_MS = 200;
