import { setFlagsFromString } from "node:v8";

/**
 * Has V8 collect garbage once the heap has grown by a quarter (8 MB at least, V8 sees to that) instead of by several times. What the
 * QUIC binding keeps of a connection that is over, some 70 KB outside the heap, is let go only with its wrappers, and V8 does not know
 * that they are worth so much. The allocator seldom gives back what it once had from the system, so the most garbage there was at
 * one time is what stays.
 *
 * What Buffers hold is counted with the heap, so that those which live for a turn go with the young generation. V8's own bound for them
 * is 64 MB outside the heap, less than the young generation may have of them: past it everything is collected, 30 to 60 ms of work, for
 * every few megabytes that are read from sockets.
 */
export function collectEarly(): void {
  setFlagsFromString("--heap-growing-percent=25");
  setFlagsFromString("--external-memory-accounted-in-global-limit");
}
