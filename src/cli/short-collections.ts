import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";
import type { Clock } from "../../codecs/clock.ts";
import { garbageCollector } from "./collect-when-quiet.ts";

/** What the young generation takes, bytes: two halves, of which objects fill one. */
export const YOUNG_BYTES = 4 * 2 ** 20;
/** Arrays that fill it at most until it has grown so far: none of them is kept. */
const FILLERS = 10_000;
/** By how much the old generation may grow before it is collected, per cent (8 MB at least, V8 sees to that): usually, and in a flood of connections. */
export const GROWTH = { usual: 25, flooded: 300 } as const;
/** So many connections whose handshake is not there yet are a flood, until there were fewer for so long, ms. */
export const FLOOD_HANDSHAKES = 8;
export const CALM_MS = 10_000;
const LOOK_EVERY_MS = 250;

/**
 * Has V8 collect garbage in pieces that a frame hardly waits for, from a server's start on: what relays frames is one thread, and each
 * collection stops it.
 *
 * The young generation stays at {@link YOUNG_BYTES} instead of growing to eight times that: what comes and goes with a connection then
 * takes 1 to 2 ms at a time, not 15, and the part of a collection of everything that stops the thread a third.
 *
 * The old generation is collected once it has grown by a quarter instead of by several times. What the QUIC binding keeps of a connection
 * that is over, some 70 KB outside the heap, is let go only with its wrappers, and V8 does not know that they are worth so much. The
 * allocator seldom gives back what it once had from the system, so the most garbage there was at one time is what stays.
 *
 * What Buffers hold is counted with the heap, so that those which live for a turn go with the young generation. V8's own bound for them
 * is 64 MB outside the heap, less than the young generation may have of them: past it everything is collected, 30 to 60 ms of work, for
 * every few megabytes that are read from sockets.
 *
 * Returns what collects everything at once and leaves the young generation at its size.
 */
export function collectInShort(): () => void {
  const collect = garbageCollector();
  setFlagsFromString("--external-memory-accounted-in-global-limit");
  setHeapGrowth(GROWTH.usual);
  const collectAll = (): void => {
    collect();
    growYoung();
  };
  collectAll();
  return collectAll;
}

/**
 * Has the old generation grow fourfold before it is collected while connections flood the TLS port, none of which is QUIC's: they would
 * have everything collected once a second. Returns what ends it.
 */
export function giveRoomInFloods(
  server: { readonly handshakes: number },
  clock: Clock,
  grow: (percent: number) => void = setHeapGrowth,
): () => void {
  let floodedAt = Number.NEGATIVE_INFINITY;
  let growth: number = GROWTH.usual;
  let cancel = (): void => {};
  const look = (): void => {
    const now = clock.now();
    if (server.handshakes >= FLOOD_HANDSHAKES) floodedAt = now;
    const wanted = now - floodedAt < CALM_MS ? GROWTH.flooded : GROWTH.usual;
    if (wanted !== growth) grow(wanted);
    growth = wanted;
    cancel = clock.at(now + LOOK_EVERY_MS, look);
  };
  look();
  return () => cancel();
}

/** How much the old generation may grow, per cent, from the end of the next collection of everything on. */
export function setHeapGrowth(percent: number): void {
  setFlagsFromString(`--heap-growing-percent=${percent}`);
}

/** Has the young generation, which a collection of everything has made small, grow to its size and no further. */
function growYoung(): void {
  setFlagsFromString("--semi-space-growth-factor=2");
  const fillers: unknown[] = [];
  while (youngBytes() < YOUNG_BYTES && fillers.length < FILLERS) fillers.push(new Array(1_000).fill(0));
  setFlagsFromString("--semi-space-growth-factor=1");
}

function youngBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name: name }) => name === "new_space")?.space_size ?? 0;
}
