import { expect, test } from "vitest";
import { PictureQueue } from "./picture-queue.ts";

test("a picture is shown at its moment, and one that the next overtook is not", () => {
  const dropped: string[] = [];
  const queue = new PictureQueue<string>((picture) => dropped.push(picture));
  queue.put(10, "a");
  queue.put(20, "b");
  queue.put(30, "c");
  expect(queue.due(9)).toBeUndefined();
  expect(queue.due(11)).toBe("a");
  expect(queue.due(12)).toBeUndefined();
  expect(queue.due(35)).toBe("c");
  expect(dropped).toEqual(["b"]);
  expect([queue.dropped, queue.waiting]).toEqual([1, 0]);
});

test("a page that shows nothing, being hidden, holds few of them", () => {
  const dropped: number[] = [];
  const queue = new PictureQueue<number>((picture) => dropped.push(picture));
  for (let picture = 0; picture < 100; picture += 1) queue.put(picture * 33, picture);
  expect(queue.waiting).toBe(8);
  expect(dropped).toHaveLength(92);
  queue.clear();
  expect(dropped).toHaveLength(100);
});
