import { expect, test } from "vitest";
import { VirtualClock } from "../test/net/virtual-clock.ts";
import { FirstWords } from "./first-words.ts";

function scene(roundTrip = 0) {
  const clock = new VirtualClock();
  const began = clock.now();
  const told: string[] = [];
  const words = new FirstWords({
    clock,
    roundTrip,
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

test("over a long way they wait later, within bounds", async () => {
  const [long, longest] = [scene(1_000), scene(60_000)];
  for (const { clock, words } of [long, longest]) {
    words.sent();
    await clock.advance(10_000);
  }
  expect([long.told, longest.told]).toEqual([["1600 wait"], ["3100 wait"]]);
});

test("to an end that was away they go as at the beginning", async () => {
  const { clock, words, told } = scene();
  words.sent();
  await clock.advance(1_000);
  words.anew();
  await clock.advance(5_000);
  words.sent();
  await clock.advance(1_000);
  words.seen();
  words.anew();
  words.sent();
  await clock.advance(1_000);
  expect(told).toEqual(["600 wait", "1000 go on", "6600 wait", "7000 go on"]);
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
