// Does to its heap what a flood of connections does to a server's: buffers of 16 KiB that live for a turn, and objects that live for
// thousands. Prints how often V8 collected everything and the young generation, and how large that one is in the end. Arguments: `short`,
// as `parley serve` has it collect, and `flooded`, as in a flood; or flags of V8's.
import { constants, type PerformanceNodeEntry, PerformanceObserver } from "node:perf_hooks";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";
import { collectInShort, GROWTH, setHeapGrowth } from "../../src/cli/short-collections.ts";

const TURNS = 6_000;
const CONNECTIONS = 2_000;

const how = process.argv.slice(2);
if (how.includes("short")) collectInShort();
else for (const flag of how) setFlagsFromString(flag);
if (how.includes("flooded")) setHeapGrowth(GROWTH.flooded);
const seen = new Map<number, number>();
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    const { kind } = (entry as PerformanceNodeEntry).detail as { readonly kind: number };
    seen.set(kind, (seen.get(kind) ?? 0) + 1);
  }
}).observe({ entryTypes: ["gc"] });
const kept = Array.from({ length: 300_000 }, (_, index) => ({ index }));
const recent: Buffer[][] = [];
const connections: { readonly number: number }[][] = [];
seen.clear();
for (let turn = 0; turn < TURNS; turn++) {
  recent[turn % 60] = Array.from({ length: 6 }, () => Buffer.allocUnsafeSlow(16 * 1024));
  connections[turn % CONNECTIONS] = Array.from({ length: 400 }, (_, number) => ({ number }));
  await new Promise(setImmediate);
}
await new Promise((resolve) => setTimeout(resolve, 20));
const young = getHeapSpaceStatistics().find(({ space_name: name }) => name === "new_space");
console.log(
  JSON.stringify({
    major: seen.get(constants.NODE_PERFORMANCE_GC_MAJOR) ?? 0,
    minor: seen.get(constants.NODE_PERFORMANCE_GC_MINOR) ?? 0,
    youngBytes: young?.space_size,
    kept: kept.length,
  }),
);
