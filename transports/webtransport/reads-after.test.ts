import { expect, test } from "vitest";
import { readsAfter } from "./reads-after.ts";

test.each([
  ["in a process that wakes in time, one comes at a time", 1, 1, 1, 1],
  ["all came: more may wait", 1, 1, 16, 2],
  ["all came again", 2, 2, 16, 4],
  ["never more than the process may", 4, 4, 6, 6],
  ["some did not come: nothing waits", 3, 4, 16, 3],
  ["most did not come", 1, 8, 16, 1],
  ["the process wakes in time again", 8, 8, 1, 1],
])("%s", (_, came, asked, most, next) => {
  expect(readsAfter(came, asked, most)).toBe(next);
});
