/** Signals that ask a program to stop: the first in order, the second at once. */
export interface Interrupts {
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /** Leaves signals to Node again, and lets the process end. */
  release(): void;
}

/** Takes over SIGINT and SIGTERM, and keeps the process alive meanwhile; a second one ends it with 128 and its number. */
export function takeInterrupts(onFirst: () => void = () => {}): Interrupts {
  const controller = new AbortController();
  const handle = (_name: NodeJS.Signals, number: number): void => {
    if (controller.signal.aborted) process.exit(128 + number);
    controller.abort();
    onFirst();
  };
  process.on("SIGINT", handle);
  process.on("SIGTERM", handle);
  // Connections of native code do not hold the process open by themselves.
  const alive = setInterval(() => {}, ALIVE_MS);
  return {
    signal: controller.signal,
    release: () => {
      clearInterval(alive);
      process.off("SIGINT", handle);
      process.off("SIGTERM", handle);
    },
  };
}

const ALIVE_MS = 60_000;
