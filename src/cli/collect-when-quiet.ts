import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Clock } from "../../codecs/clock.ts";

/** How busy a server is. */
export interface Busyness {
  /** Calls that are up, being set up, ringing or ending. */
  readonly calls: number;
  /** Requests taken since the start. */
  readonly requests: number;
}

/**
 * Collects garbage once a server has had no call and no request for {@link QUIET_MS}, unless little happened since it last did. V8
 * collects when there is something to allocate, so a server that has nothing to do would keep what its last calls left: heap, the
 * young generation at its full size, and what the QUIC binding holds for connections that are over. Returns what ends it.
 */
export function collectWhenQuiet(server: Busyness, clock: Clock, collect: () => void): () => void {
  let [seen, quietSince] = [server.requests, clock.now()];
  let collectedWith = Number.NEGATIVE_INFINITY;
  let cancel = (): void => {};
  const lookLater = (): void => {
    cancel = clock.at(clock.now() + LOOK_EVERY_MS, look);
  };
  const look = (): void => {
    const { calls, requests } = server;
    const isQuiet = calls === 0 && requests === seen;
    if (!isQuiet) [seen, quietSince] = [requests, clock.now()];
    else if (clock.now() - quietSince >= QUIET_MS && requests - collectedWith >= WORTH_REQUESTS) {
      collectedWith = requests;
      collect();
    }
    lookLater();
  };
  lookLater();
  return () => cancel();
}

/**
 * V8's own collector, which it shows to new contexts only, at its most thorough: two collections, each of which stops the process for
 * some 30 ms with a heap of 30 MB, and empty pages given back to the system at once. A plain one keeps those for V8 to use again.
 */
export function garbageCollector(): () => void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as NodeJS.GCFunction;
  setFlagsFromString("--no-expose-gc");
  return () => void collect({ type: "major", flavor: "last-resort" });
}

/** Longer than the pauses between two calls of one agent; a server with many agents is not quiet so long, nor short of work. */
export const QUIET_MS = 6_000;
/** What eight calls between agents who are online make. */
export const WORTH_REQUESTS = 32;
const LOOK_EVERY_MS = 500;
