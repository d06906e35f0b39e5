// Reads as a server under a flood does: buffers of 16 KiB, few of which live longer than their turn, beside a heap that stays. Prints how
// often V8 collected the old generation and the young one. Argument: `early`, as `parley serve` has it collect, or a flag of V8's.
import { type PerformanceNodeEntry, PerformanceObserver } from "node:perf_hooks";
import { setFlagsFromString } from "node:v8";
import { collectEarly } from "../../src/cli/collect-early.ts";

const [MAJOR, MINOR] = [4, 1];
const TURNS = 1_000;

const how = process.argv[2] ?? "early";
if (how === "early") collectEarly();
else setFlagsFromString(how);
const seen = new Map<number, number>();
const observer = new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    const { kind } = (entry as PerformanceNodeEntry).detail as { readonly kind: number };
    seen.set(kind, (seen.get(kind) ?? 0) + 1);
  }
});
observer.observe({ entryTypes: ["gc"] });
const kept = [
  Array.from({ length: 30 }, () => Buffer.alloc(1 << 20)),
  Array.from({ length: 300_000 }, (_, index) => ({ index })),
];
const recent: Buffer[][] = [];
seen.clear();
for (let turn = 0; turn < TURNS; turn++) {
  recent[turn % 60] = Array.from({ length: 20 }, () => Buffer.allocUnsafeSlow(16 * 1024));
  for (let i = 0; i < 6; i++) Buffer.allocUnsafeSlow(16 * 1024);
  await new Promise(setImmediate);
}
await new Promise((resolve) => setTimeout(resolve, 20));
console.log(JSON.stringify({ major: seen.get(MAJOR) ?? 0, minor: seen.get(MINOR) ?? 0, kept: kept.length }));
