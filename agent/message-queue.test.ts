import { describe, expect, it } from "vitest";
import { ParleyError } from "../codecs/parley-error.ts";
import { MessageQueue } from "./message-queue.ts";

describe("a queue whose items must all be read", () => {
  it("makes a writer wait while it is full, and no longer", async () => {
    const queue = new MessageQueue<number>(2);
    expect(queue.push(1)).toBeUndefined();
    const room = queue.push(2);
    expect(room).toBeInstanceOf(Promise);
    const reader = queue[Symbol.asyncIterator]();
    expect(await reader.next()).toEqual({ done: false, value: 1 });
    await room;
    expect(queue.size).toBe(1);
  });

  it("gives each item to one reader, and the rest to the next where one stops", async () => {
    const queue = new MessageQueue<number>(8);
    const first = queue[Symbol.asyncIterator]();
    const waiting = [first.next(), queue[Symbol.asyncIterator]().next()];
    for (const item of [1, 2, 3, 4]) void queue.push(item);
    expect((await Promise.all(waiting)).map(({ value }) => value)).toEqual([1, 2]);
    for await (const item of queue) {
      expect(item).toBe(3);
      break;
    }
    expect((await first.next()).value).toBe(4);
  });

  it("ends after what is left: cleanly, or with what went wrong", async () => {
    const clean = new MessageQueue<number>(8);
    void clean.push(1);
    clean.end();
    expect(clean.push(2)).toBeUndefined();
    const read: number[] = [];
    for await (const item of clean) read.push(item);
    expect(read).toEqual([1]);

    const broken = new MessageQueue<number>(1);
    const room = broken.push(1);
    broken.end(new ParleyError({ code: "data-unread", message: "Nobody read." }));
    await room;
    const reader = broken[Symbol.asyncIterator]();
    expect(await reader.next()).toEqual({ done: false, value: 1 });
    await expect(reader.next()).rejects.toMatchObject({ code: "data-unread" });
  });

  it("tells a reader that waits already", async () => {
    const queue = new MessageQueue<number>(1);
    const waiting = queue[Symbol.asyncIterator]().next();
    queue.end();
    expect(await waiting).toEqual({ done: true, value: undefined });
  });
});
