import { expect, test } from "vitest";
import { FairMap } from "./fair-map.ts";

test("an entry is kept for its time, and set again for another", () => {
  const map = new FairMap<number>(10, 100);
  map.set("a", "ada", 1, 0);
  map.set("b", "bob", 2, 50);
  expect([map.get("a", 99), map.get("a", 100), map.get("c", 0)]).toEqual([1, undefined, undefined]);
  map.set("b", "bob", 3, 120);
  expect([map.size, map.get("b", 219)]).toEqual([1, 3]);
});

test("who fills it forgets the oldest of its own, and nobody else's", () => {
  const map = new FairMap<number>(4, 100);
  map.set("x", "honest", 0, 0);
  for (let n = 0; n < 10; n++) map.set(`s${n}`, "greedy", n, 1);
  expect(map.size).toBe(4);
  const there = (key: string) => map.get(key, 2) !== undefined;
  expect(["x", "s6", "s7", "s8", "s9"].map(there)).toEqual([true, false, true, true, true]);
  for (let n = 0; n < 3; n++) map.set(`y${n}`, `newcomer ${n}`, n, 1);
  expect(["x", "s8", "s9", "y0", "y1", "y2"].map(there)).toEqual([false, false, true, true, true, true]);
});
