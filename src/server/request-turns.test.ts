import { expect, it } from "vitest";
import { VirtualClock } from "../../test/net/virtual-clock.ts";
import { REQUESTS_MS, RequestTurns } from "./request-turns.ts";

const aTurn = () => new Promise((resolve) => setImmediate(resolve));

it("works on requests for a while, then lets others have a turn, and keeps their order", async () => {
  let now = 0;
  const turns = new RequestTurns(Object.assign(new VirtualClock(), { now: () => now }));
  const done: number[] = [];
  const request = (number: number) => () => {
    now += REQUESTS_MS / 2;
    done.push(number);
  };
  for (let number = 0; number < 5; number += 1) turns.take(request(number));
  expect(done).toEqual([0, 1]);
  await aTurn();
  expect(done).toEqual([0, 1, 2, 3]);
  turns.take(request(5));
  expect(done).toEqual([0, 1, 2, 3]);
  await aTurn();
  expect(done).toEqual([0, 1, 2, 3, 4, 5]);
  await aTurn();
  turns.take(request(6));
  expect(done.at(-1)).toBe(6);
});

it("takes a request that comes while another is worked on after it, and goes on after one that throws", async () => {
  const turns = new RequestTurns(new VirtualClock());
  const done: string[] = [];
  turns.take(() => {
    turns.take(() => done.push("second"));
    done.push("first");
  });
  expect(done).toEqual(["first", "second"]);
  expect(() =>
    turns.take(() => {
      throw new Error("broken");
    }),
  ).toThrow("broken");
  turns.take(() => done.push("third"));
  expect(done.at(-1)).toBe("third");
});
