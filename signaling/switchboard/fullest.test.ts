import { expect, test } from "vitest";
import { Fullest } from "./fullest.ts";

test("the fullest is known, of several that are as full the one that was so first", () => {
  const fullest = new Fullest<string>();
  expect(fullest.fullest).toBeUndefined();
  fullest.set("a", 0, 3);
  fullest.set("b", 0, 5);
  fullest.set("c", 0, 5);
  expect([fullest.fullest, fullest.total]).toEqual(["b", 13]);
  fullest.set("b", 5, 4);
  expect(fullest.fullest).toBe("c");
  fullest.set("c", 5, 0);
  fullest.set("b", 4, 4);
  expect([fullest.fullest, fullest.total]).toEqual(["b", 7]);
  for (const [thing, count] of [
    ["a", 3],
    ["b", 4],
  ] as const)
    fullest.set(thing, count, 0);
  expect([fullest.fullest, fullest.total]).toEqual([undefined, 0]);
});
