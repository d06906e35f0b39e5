import { expect, test } from "vitest";
import { VirtualClock } from "../test/net/virtual-clock.ts";
import { PcmQueue } from "./pcm-queue.ts";
import { WaitingWords } from "./waiting-words.ts";

const FRAME = 960;

function waiting(queued: number) {
  const clock = new VirtualClock();
  const wentOn: number[] = [];
  const words = new WaitingWords({
    clock,
    queued: () => queued,
    goOn: () => wentOn.push(clock.now()),
  });
  return { clock, words, wentOn };
}

test("a writer may be ahead by as much as waits, and later by as much as is late", () => {
  const { words } = waiting(1_500);
  expect([words.isWaiting, words.allowance]).toEqual([false, 0]);
  words.begin("paused");
  words.begin("detached");
  expect([words.isWaiting, words.allowance]).toEqual([true, 5_000]);
  words.end("detached");
  expect([words.isWaiting, words.allowance]).toEqual([true, 2_000]);
  words.end("paused");
  expect([words.isWaiting, words.allowance]).toEqual([false, 1_500]);
});

test("nothing waits longer than its reason may last", async () => {
  const { clock, words, wentOn } = waiting(0);
  const began = clock.now();
  words.begin("paused");
  await clock.advance(1_500);
  words.begin("paused");
  await clock.advance(1_000);
  expect([words.isWaiting, wentOn]).toEqual([false, [began + 2_000]]);
});

test("pauses wait for two seconds in all until a share of it was said, or none of it waits any more", async () => {
  const queued = { milliseconds: 10_000 };
  const clock = new VirtualClock();
  const words = new WaitingWords({ clock, queued: () => queued.milliseconds, goOn: () => {} });
  /** How long ten pauses of a second each hold the words back, one right after the other. */
  const held = async () => {
    let milliseconds = 0;
    for (let tenth = 0; tenth < 100; tenth += 1) {
      if (tenth % 10 === 0) words.end("paused");
      words.begin("paused");
      if (words.isWaiting) milliseconds += 100;
      await clock.advance(100);
    }
    words.end("paused");
    return milliseconds;
  };
  expect([await held(), await held()]).toEqual([2_000, 0]);
  for (let frame = 0; frame < 250; frame += 1) words.leavesOut(20, 20);
  expect(await held()).toBe(500);
  words.flushed();
  expect(await held()).toBe(2_000);
  queued.milliseconds = 0;
  words.begin("paused");
  expect(words.isWaiting).toBe(true);
});

test("what is late is made good in quiet stretches, of which the beginning stays", () => {
  const { words } = waiting(60);
  words.begin("detached");
  words.end("detached");
  const levels = [20, ...Array(7).fill(60), 20, ...Array(8).fill(60)];
  const left = levels.map((level) => words.leavesOut(level, 20));
  expect(left.flatMap((isOut, at) => (isOut ? [at] : []))).toEqual([6, 7, 14]);
  expect(words.allowance).toBe(0);
});

test("nothing is left out of what was never late, and never the last frame that waits", () => {
  const { words } = waiting(400);
  const queue = new PcmQueue();
  queue.push(new Int16Array(20 * FRAME));
  words.catchUp(queue, new Int16Array(FRAME), 20);
  expect([queue.length, words.leftOut]).toEqual([20 * FRAME, 0]);
  words.begin("detached");
  words.end("detached");
  for (let frame = 0; frame < 5; frame += 1) words.leavesOut(127, 20);
  words.catchUp(queue, new Int16Array(FRAME), 20);
  expect([queue.length, words.leftOut]).toEqual([FRAME, 19]);
});
