import { expect, test } from "vitest";
import { Arrivals } from "./arrivals.ts";

test("of several networks the one that has most loses its oldest", () => {
  const arrivals = new Arrivals<number>();
  expect(arrivals.excess).toBeUndefined();
  arrivals.add("a 1", "192.0.2.1", 1);
  expect(arrivals.excess).toBe("a 1");
  for (const [name, address] of [
    ["b 1", "198.51.100.7"],
    ["b 2", "::ffff:198.51.100.7"],
    ["c 1", "2001:db8::1"],
    ["c 2", "2001:db8::2"],
    ["c 3", "2001:db8:0:0:9::"],
  ] as const)
    arrivals.add(name, address, 0);
  expect(arrivals.excess).toBe("c 1");
  expect(arrivals.take("c 1")).toBe(0);
  expect(arrivals.take("c 1")).toBeUndefined();
  arrivals.take("c 2");
  expect(arrivals.excess).toBe("b 1");
  expect([arrivals.size, arrivals.get("a 1"), [...arrivals.all()]]).toEqual([4, 1, [1, 0, 0, 0]]);
});

test("networks have their turns one after the other, whoever has how many waiting", () => {
  const arrivals = new Arrivals<string>();
  const add = (name: string, address: string): void => arrivals.add(name, address, name);
  for (const name of ["a 1", "a 2", "a 3", "a 4"]) add(name, "192.0.2.1");
  expect([arrivals.next(), arrivals.next()]).toEqual(["a 1", "a 2"]);
  for (const name of ["b 1", "b 2"]) add(name, "198.51.100.7");
  add("c 1", "2001:db8::1");
  arrivals.take("b 1");
  expect(["a 3", "b 2", "c 1", "a 4"].map(() => arrivals.next())).toEqual(["a 3", "b 2", "c 1", "a 4"]);
  expect([arrivals.isWaiting, arrivals.next(), arrivals.size]).toEqual([false, undefined, 6]);
  arrivals.take("c 1");
  add("c 1", "2001:db8::1");
  expect([arrivals.isWaiting, arrivals.next()]).toEqual([true, "c 1"]);
});
