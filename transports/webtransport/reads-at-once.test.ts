import { expect, test } from "vitest";
import { MAX_READS, readsAtOnce, readsFor } from "./reads-at-once.ts";

test.each([
  [-1, 1, 1],
  [0, 1, 1],
  [3.9, 1, 1],
  [4, 1, 2],
  [20, 1, 6],
  [1_000, 0, MAX_READS],
  [1_000, 3, MAX_READS],
  [1_000, 12, 5],
  [1_000, 100, 1],
])(
  "a process that wakes %d ms late and has %d connections asks each for %d at once",
  (lateness, connections, reads) => {
    expect(readsFor(lateness, connections)).toBe(reads);
  },
);

test("a process that was busy asks for several at once the next time", async () => {
  readsAtOnce();
  await new Promise((resolve) => setTimeout(resolve, 30));
  const busyUntil = performance.now() + 150;
  while (performance.now() < busyUntil);
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(readsAtOnce()).toBe(MAX_READS);
});
