import { expect, test } from "vitest";
import { MAX_READS, readsAtOnce, readsFor } from "./reads-at-once.ts";

test.each([
  [-1, 1],
  [0, 1],
  [3.9, 1],
  [4, 2],
  [20, 6],
  [1_000, MAX_READS],
])("a process that wakes %d ms late asks for %d at once", (lateness, reads) => {
  expect(readsFor(lateness)).toBe(reads);
});

test("a process that was busy asks for several at once the next time", async () => {
  readsAtOnce();
  await new Promise((resolve) => setTimeout(resolve, 30));
  const busyUntil = performance.now() + 150;
  while (performance.now() < busyUntil);
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(readsAtOnce()).toBe(MAX_READS);
});
