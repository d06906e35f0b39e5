import { monitorEventLoopDelay } from "node:perf_hooks";

/** How often lateness is sampled, and over how long the latest of the samples counts, ms. */
const SAMPLE_MS = 10;
const WINDOW_MS = 100;
/** Each read beyond the first is for this much lateness, ms. */
const LATENESS_PER_READ_MS = 4;
/** Datagrams that one connection asks for at once at most. */
export const MAX_READS = 16;
/** Datagrams that all connections of this process ask for at once, beyond the first of each: each time the process wakes it looks through all that it asked for. */
const MAX_FURTHER_READS = 48;

/** How many datagrams each of so many connections is to ask for at once where the process wakes this much late, ms. */
export function readsFor(lateness: number, connections: number): number {
  const further = Math.min(lateness / LATENESS_PER_READ_MS, MAX_FURTHER_READS / Math.max(1, connections));
  return Math.max(1, Math.min(MAX_READS, 1 + Math.floor(further)));
}

let lag: ReturnType<typeof monitorEventLoopDelay> | undefined;
let reads = 1;
let judgedAt = 0;
let connections = 0;

/** One more connection reads, until `ended` resolves. */
export function countReader(ended: Promise<void>): void {
  connections += 1;
  void ended.then(() => {
    connections -= 1;
  });
}

/**
 * How many datagrams each connection asks the QUIC binding for at once. One at a time comes in order, but each costs two changes of
 * thread: a process that waits 50 ms for the processor each time would read 10 a second, and a voice is 50. What it does not read waits
 * in the stack until it is seconds old. So the later this process wakes, the more it asks for; order is then left to those who need it.
 */
export function readsAtOnce(): number {
  if (lag === undefined) {
    lag = monitorEventLoopDelay({ resolution: SAMPLE_MS });
    lag.enable();
  }
  const now = performance.now();
  if (now - judgedAt >= WINDOW_MS) {
    judgedAt = now;
    reads = readsFor(lag.count === 0 ? 0 : lag.max / 1e6 - SAMPLE_MS, connections);
    lag.reset();
  }
  return reads;
}
