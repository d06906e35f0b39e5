import { monitorEventLoopDelay } from "node:perf_hooks";

/** How often lateness is sampled, and over how long the latest of the samples counts, ms. */
const SAMPLE_MS = 10;
const WINDOW_MS = 100;
/** Each read beyond the first is for this much lateness, ms. */
const LATENESS_PER_READ_MS = 4;
/** Datagrams that one connection asks for at once at most. */
export const MAX_READS = 16;

/** How many datagrams a connection may ask for at once where the process wakes this much late, ms. */
export function mostReadsFor(lateness: number): number {
  return Math.max(1, Math.min(MAX_READS, 1 + Math.floor(lateness / LATENESS_PER_READ_MS)));
}

let lag: ReturnType<typeof monitorEventLoopDelay> | undefined;
let most = 1;
let judgedAt = 0;

/**
 * How many datagrams each connection may ask the QUIC binding for at once. One at a time comes in order, but each costs two changes of
 * thread: a process that waits 50 ms for the processor each time would read 20 a second, and a voice is 50. What it does not read waits
 * in the stack until it is seconds old. So the later this process wakes, the more it may ask for; order is then left to those who need it.
 */
export function mostReads(): number {
  if (lag === undefined) {
    lag = monitorEventLoopDelay({ resolution: SAMPLE_MS });
    lag.enable();
  }
  const now = performance.now();
  if (now - judgedAt >= WINDOW_MS) {
    judgedAt = now;
    most = mostReadsFor(lag.count === 0 ? 0 : lag.max / 1e6 - SAMPLE_MS);
    lag.reset();
  }
  return most;
}
