import { expect, it } from "vitest";
import type { HeardVideo } from "./heard-video.ts";
import { VideoQueue } from "./video-queue.ts";

const unit = (sequence: number, key = false): HeardVideo => ({
  ...{ data: new Uint8Array(1), key, layer: 0, codec: "vp8", width: undefined, height: undefined },
  ...{ capturedAt: 0, playAt: 0, speaker: "", sequence, verified: true, rendition: 0 },
});

/** Numbers of what waits. */
async function drain(queue: VideoQueue): Promise<number[]> {
  queue.end();
  const numbers: number[] = [];
  for await (const { sequence } of queue) numbers.push(sequence);
  return numbers;
}

it("begins with a key frame", async () => {
  const queue = new VideoQueue(() => {});
  expect(queue.needsKey).toBe(true);
  for (const one of [unit(1), unit(2, true), unit(3)]) expect(queue.push(one)).toBe(true);
  expect(queue.unread).toBe(1);
  expect(await drain(queue)).toEqual([2, 3]);
});

it("lets everything go when it is full, and goes on at a key frame", async () => {
  const queue = new VideoQueue(() => {});
  queue.push(unit(0, true));
  for (let sequence = 1; sequence < 120; sequence += 1) expect(queue.push(unit(sequence))).toBe(true);
  expect(queue.push(unit(120))).toBe(false);
  expect(queue.push(unit(121))).toBe(true);
  expect(queue.push(unit(122, true))).toBe(true);
  expect(queue.unread).toBe(122);
  expect(await drain(queue)).toEqual([122]);
});

it("needs nothing from before a key frame that comes when it is full", async () => {
  const queue = new VideoQueue(() => {});
  queue.push(unit(0, true));
  for (let sequence = 1; sequence < 120; sequence += 1) queue.push(unit(sequence));
  expect(queue.push(unit(120, true))).toBe(true);
  expect(await drain(queue)).toEqual([120]);
});

it("keeps what can be decoded from the last key frame on for who has not begun to read", async () => {
  const queue = new VideoQueue(() => {});
  for (const one of [unit(1, true), unit(2), unit(3, true), unit(4)]) {
    queue.push(one);
    if (one.key) queue.forgetOlder();
  }
  expect(await drain(queue)).toEqual([3, 4]);
});

it("tells of what is taken, when it is", async () => {
  const taken: number[] = [];
  const queue = new VideoQueue(({ sequence }) => taken.push(sequence));
  queue.push(unit(1, true));
  expect(taken).toEqual([]);
  const reader = queue[Symbol.asyncIterator]();
  await reader.next();
  expect(taken).toEqual([1]);
  const next = reader.next();
  queue.push(unit(2));
  expect((await next).value?.sequence).toBe(2);
  expect(taken).toEqual([1, 2]);
});
