import { expect, test } from "vitest";
import { MAX_READS, mostReads, mostReadsFor } from "./reads-at-once.ts";

test.each([
  [-1, 1],
  [0, 1],
  [3.9, 1],
  [4, 2],
  [20, 6],
  [1_000, MAX_READS],
])("where a process wakes %d ms late each connection may ask for %d at once", (lateness, reads) => {
  expect(mostReadsFor(lateness)).toBe(reads);
});

test("a process that was busy may ask for several at once the next time", async () => {
  mostReads();
  await new Promise((resolve) => setTimeout(resolve, 30));
  const busyUntil = performance.now() + 150;
  while (performance.now() < busyUntil);
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(mostReads()).toBe(MAX_READS);
});
