import { expect, it } from "vitest";
import type { Connection, SendStream } from "../../sfu/carrier.ts";
import { ItemPacer } from "../../sfu/item-pacer.ts";
import { VirtualClock } from "../../test/net/virtual-clock.ts";
import { memoryPair } from "../../transports/memory.ts";
import { OutgoingItems, type TakenBack } from "./outgoing-items.ts";

function connected() {
  const clock = new VirtualClock();
  const received: number[][] = [];
  const idle = { datagram: () => {}, stream: () => {}, exchange: () => {}, closed: () => {} };
  const pair = memoryPair(
    { clock, liveness: false },
    () => ({
      ...idle,
      stream: async (stream) => {
        const bytes: number[] = [];
        received.push(bytes);
        for (let chunk = await stream.read(); chunk !== undefined; chunk = await stream.read())
          bytes.push(...chunk);
      },
    }),
    () => idle,
  );
  return { clock, received, items: new OutgoingItems(pair.server) };
}

it("keeps the items of a flow on one stream, in order", async () => {
  const { clock, received, items } = connected();
  for (const item of [1, 2, 3]) items.send(4, Uint8Array.of(item));
  items.send(6, Uint8Array.of(9));
  await clock.settle();
  items.send(4, Uint8Array.of(4));
  await clock.settle();
  expect(received).toEqual([
    [4, 1, 1, 1, 2, 1, 3, 1, 4],
    [6, 1, 9],
  ]);
  expect(items.dropped).toBe(0);
});

it("ends a flow's stream when told, after what waits, so that peers always allow the next", async () => {
  const { clock, received, items } = connected();
  for (let flow = 2; flow < 500; flow += 2) {
    expect(items.send(flow, Uint8Array.of(1))).toBe(true);
    items.send(flow, Uint8Array.of(2));
    items.finish(flow);
    await clock.settle();
  }
  expect(items.open).toBe(0);
  expect(received).toHaveLength(249);
  expect(received.at(-1)?.slice(-4)).toEqual([1, 1, 1, 2]);
  expect(items.dropped).toBe(0);
});

it("takes back what waits, says why, and writes no more at once than it must", async () => {
  const written: number[] = [];
  let release = () => {};
  const slow: SendStream = {
    write: (bytes) => {
      written.push(bytes.length);
      return new Promise((resolve) => {
        release = resolve;
      });
    },
    finish: async () => {},
    reset: () => {},
  };
  const items = new OutgoingItems({ openStream: async () => slow } as unknown as Connection);
  const fates: string[] = [];
  for (let at = 0; at < 40; at += 1) items.send(2, new Uint8Array(1_000), (fate) => fates.push(fate));
  await new Promise((resolve) => setImmediate(resolve));
  expect(written).toHaveLength(1);
  expect(written[0]).toBeLessThanOrEqual(16 * 1024 + 8);
  items.discard(2, "session-state");
  expect(fates.length).toBeGreaterThan(20);
  expect(new Set(fates)).toEqual(new Set(["session-state"]));
  release();
  await new Promise((resolve) => setImmediate(resolve));
  expect(fates).toHaveLength(40);
  expect(fates).toContain("sent");
  expect(written, "nothing that was taken back left").toHaveLength(1);
});

it("drops and counts what a peer that does not read leaves waiting", async () => {
  const stuck: SendStream = { write: () => new Promise(() => {}), finish: async () => {}, reset: () => {} };
  const connection = { openStream: async () => stuck } as unknown as Connection;
  const items = new OutgoingItems(connection);
  items.send(2, Uint8Array.of(0));
  await new Promise((resolve) => setImmediate(resolve));
  let taken = 0;
  for (let sent = 0; sent < 300; sent += 1) if (items.send(2, Uint8Array.of(1))) taken += 1;
  expect(taken).toBe(256);
  expect(items.dropped).toBe(44);
});

it("lets the items of a flow leave as its pace has them, and takes back what that has not begun", async () => {
  const { clock, received, items } = connected();
  const pacers: ItemPacer<TakenBack>[] = [];
  items.pace(4, (write) => {
    const pacer = new ItemPacer<TakenBack>({ ssrc: 7, write, abandon: () => {}, wake: () => {} });
    pacers.push(pacer);
    return {
      add: (item) => pacer.add(item, clock.now(), true),
      takeBack: (reason) => pacer.takeBack(reason),
      hurry: () => pacer.flush(),
      finish: () => pacer.flush(),
    };
  });
  const [pacer] = pacers;
  const fates: string[] = [];
  for (const item of [1, 2, 3]) items.send(4, new Uint8Array(2_000).fill(item), (fate) => fates.push(fate));
  await clock.settle();
  expect(received.flat()).toEqual([]);
  expect(pacer?.next(0)?.packet).toMatchObject({ sequence: 0 });
  pacer?.send(0);
  await clock.settle();
  expect(received.map((bytes) => bytes.length)).toEqual([1 + 1_100]);
  items.discard(4, "scope");
  await clock.settle();
  expect(pacer?.next(0)?.packet).toMatchObject({ sequence: 1 });
  pacer?.send(0);
  await clock.settle();
  expect(fates).toEqual(["sent", "scope", "scope"]);
  items.send(4, new Uint8Array(2_000).fill(4), (fate) => fates.push(fate));
  await clock.settle();
  items.hurry(4);
  items.finish(4);
  await clock.settle();
  expect(fates).toEqual(["sent", "scope", "scope", "sent"]);
  expect(received).toHaveLength(1);
  expect(received[0]?.length).toBe(1 + 2 * (2 + 2_000));
  expect([items.open, items.dropped]).toEqual([0, 0]);
});

it("counts what waits for a stream that cannot be opened", async () => {
  const connection = { openStream: () => Promise.reject(new Error("gone")) } as unknown as Connection;
  const items = new OutgoingItems(connection);
  items.send(2, Uint8Array.of(1));
  await new Promise((resolve) => setImmediate(resolve));
  expect(items.dropped).toBeGreaterThan(0);
});

it("says when a source should wait for a reader, and when it may go on", async () => {
  const { clock, received, items } = connected();
  for (let item = 0; item < 40; item += 1) items.send(4, new Uint8Array(1_000).fill(item));
  const room = items.room(4);
  expect(room).toBeInstanceOf(Promise);
  await clock.settle();
  await room;
  expect(items.room(4)).toBeUndefined();
  expect(received[0]?.length).toBeGreaterThan(40_000);
  expect(items.dropped).toBe(0);
});

it("lets a source that waits go on when what waits is taken back", async () => {
  const { items } = connected();
  for (let item = 0; item < 40; item += 1) items.send(4, Uint8Array.of(item));
  const room = items.room(4);
  items.discard(4, "scope");
  await room;
  expect(items.room(4)).toBeUndefined();
});
