import { expect, test } from "vitest";
import { VirtualClock } from "../test/net/virtual-clock.ts";
import { FirstWords } from "./first-words.ts";

function scene(roundTrip?: number) {
  const clock = new VirtualClock();
  const began = clock.now();
  const told: string[] = [];
  const words = new FirstWords({
    clock,
    roundTrip: () => roundTrip,
    wait: () => told.push(`${clock.now() - began} wait`),
    goOn: () => told.push(`${clock.now() - began} go on`),
  });
  return { clock, words, told };
}

test("words wait once the first of them has been on its way for long and nothing came back", async () => {
  const { clock, words, told } = scene();
  await clock.advance(10_000);
  words.sent();
  words.sent();
  await clock.advance(599);
  expect(told).toEqual([]);
  await clock.advance(1_000);
  words.seen();
  words.sent();
  await clock.advance(5_000);
  expect(told).toEqual(["10600 wait", "11599 go on"]);
});

test("over a long way they wait later", async () => {
  const { clock, words, told } = scene(500);
  words.sent();
  await clock.advance(3_000);
  expect(told).toEqual(["1600 wait"]);
});

test("they never wait for an end that was seen, nor once the call is over", async () => {
  const [seen, over] = [scene(), scene()];
  seen.words.seen();
  seen.words.sent();
  over.words.sent();
  over.words.finish();
  await Promise.all([seen.clock.advance(2_000), over.clock.advance(2_000)]);
  expect([seen.told, over.told]).toEqual([["0 go on"], []]);
});
