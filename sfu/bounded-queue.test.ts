import { describe, expect, it } from "vitest";
import { BoundedQueue } from "./bounded-queue.ts";

async function read<Item>(queue: BoundedQueue<Item>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const item of queue) items.push(item);
  return items;
}

describe("a bounded queue", () => {
  it("gives items in order, then ends", async () => {
    const queue = new BoundedQueue<number>(3);
    queue.push(1);
    queue.push(2);
    queue.end();
    expect(await read(queue)).toEqual([1, 2]);
  });

  it("lets the oldest go when full, and counts it", async () => {
    const queue = new BoundedQueue<number>(2);
    for (const item of [1, 2, 3, 4]) queue.push(item);
    queue.end();
    expect(await read(queue)).toEqual([3, 4]);
    expect(queue.dropped).toBe(2);
  });

  it("hands an item to a reader that waits, and ends its wait", async () => {
    const queue = new BoundedQueue<number>(1);
    const reading = read(queue);
    queue.push(7);
    await Promise.resolve();
    queue.end();
    expect(await reading).toEqual([7]);
    expect(queue.dropped).toBe(0);
  });

  it("takes nothing after its end, and a reader that leaves ends it", async () => {
    const queue = new BoundedQueue<number>(4);
    queue.push(1);
    queue.push(2);
    for await (const item of queue) if (item === 1) break;
    queue.push(3);
    expect(await read(queue)).toEqual([2]);
  });

  it("answers who asked several times in the order in which they asked", async () => {
    const queue = new BoundedQueue<number>(4);
    const reader = queue[Symbol.asyncIterator]();
    const asked = [reader.next(), reader.next(), reader.next()];
    queue.push(1);
    queue.push(2);
    queue.end();
    expect((await Promise.all(asked)).map(({ value }) => value)).toEqual([1, 2, undefined]);
  });

  it("keeps of what waits only what is wanted, and counts the rest as no loss", async () => {
    const queue = new BoundedQueue<number>(4);
    for (const item of [1, 2, 3, 4]) queue.push(item);
    queue.keepOnly((item) => item % 2 === 0);
    queue.push(5);
    queue.end();
    expect(await read(queue)).toEqual([2, 4, 5]);
    expect(queue.dropped).toBe(0);
  });
});
