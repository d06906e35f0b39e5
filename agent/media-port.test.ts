import { beforeEach, describe, expect, it } from "vitest";
import { ParleyError } from "../codecs/parley-error.ts";
import { encodeStreamItems, encodeStreamStart } from "../codecs/stream-items.ts";
import type { Connection, ReceiveStream } from "../sfu/carrier.ts";
import { VirtualClock } from "../test/net/virtual-clock.ts";
import { memoryPair } from "../transports/memory.ts";
import { MediaPort } from "./media-port.ts";

describe("the media side of a connection", () => {
  let clock: VirtualClock;
  let port: MediaPort;
  let server: Connection;
  let opened: ReceiveStream[];

  beforeEach(() => {
    clock = new VirtualClock();
    port = new MediaPort(clock);
    opened = [];
    const idle = { datagram: () => {}, exchange: () => {}, closed: () => {} };
    const pair = memoryPair(
      { clock, liveness: false },
      () => ({
        ...idle,
        datagram: (bytes) => port.datagram(bytes),
        stream: (stream) => void port.stream(stream),
      }),
      () => ({ ...idle, stream: (stream) => opened.push(stream) }),
    );
    port.attach(pair.client);
    server = pair.server;
  });

  function collect(flow: number) {
    const got = { datagrams: [] as number[][], items: [] as number[][], held: [] as number[] };
    const release = port.claim(flow, {
      datagram: (bytes, held) => {
        got.datagrams.push([...bytes]);
        got.held.push(held);
      },
      item: (bytes) => void got.items.push([...bytes]),
    });
    return { ...got, release };
  }

  it("stops streams of units that do not become whole in time, and those that never say of what they are", async () => {
    const units = { unit: () => {}, piece: () => {} };
    port.claim(4, { datagram: () => {}, item: () => {}, units });
    const streams = [await server.openStream(), await server.openStream()];
    await streams[0]?.write(Uint8Array.of(4, 0, 0x44, 0, 1));
    await streams[1]?.write(Uint8Array.of(0xc0));
    await clock.advance(4_900);
    for (const stream of streams) await stream.write(Uint8Array.of(1));
    await clock.advance(200);
    for (const stream of streams)
      await expect(stream.write(Uint8Array.of(1))).rejects.toMatchObject({ code: "connection-lost" });
  });

  it("hands datagrams to whoever claimed their flow", async () => {
    const two = collect(2);
    const four = collect(4);
    server.sendDatagram(Uint8Array.of(2, 9));
    server.sendDatagram(Uint8Array.of(4, 8));
    await clock.settle();
    expect(two.datagrams).toEqual([[2, 9]]);
    expect(four.datagrams).toEqual([[4, 8]]);
  });

  it("holds packets of a flow that is claimed a moment later, and says how long", async () => {
    server.sendDatagram(Uint8Array.of(6, 1));
    await clock.advance(3_000);
    server.sendDatagram(Uint8Array.of(6, 2));
    await clock.advance(400);
    const { datagrams, held } = collect(6);
    server.sendDatagram(Uint8Array.of(6, 3));
    await clock.settle();
    expect([datagrams, held]).toEqual([
      [
        [6, 1],
        [6, 2],
        [6, 3],
      ],
      [3_400, 400, 0],
    ]);
    expect(port.counters.unclaimed).toBe(0);
  });

  it("drops and counts them after six seconds, and the oldest beyond 256", async () => {
    for (let count = 0; count < 262; count += 1) server.sendDatagram(Uint8Array.of(6, count & 0xff));
    await clock.settle();
    expect(port.counters.unclaimed).toBe(6);
    await clock.advance(6_100);
    expect(collect(6).datagrams).toEqual([]);
    expect(port.counters.unclaimed).toBe(262);
  });

  it("counts datagrams without a whole flow identifier", async () => {
    server.sendDatagram(Uint8Array.of(0xc0, 1));
    port.datagram(new Uint8Array(0));
    await clock.settle();
    expect(port.counters.malformed).toBe(2);
  });

  it("reads the items of a stream, and gives a stream with broken framing up", async () => {
    const eight = collect(8);
    const stream = await server.openStream();
    await stream.write(encodeStreamStart(8));
    await stream.write(encodeStreamItems([Uint8Array.of(1, 2), Uint8Array.of(3)]));
    await clock.settle();
    expect(eight.items).toEqual([[1, 2], [3]]);
    stream.write(Uint8Array.of(0)).catch(() => undefined);
    await clock.settle();
    expect(port.counters.malformed).toBe(1);
  });

  it("leaves a stream unread until its flow is claimed, and loses nothing of it", async () => {
    const stream = await server.openStream();
    await stream.write(encodeStreamStart(8));
    for (let item = 0; item < 200; item += 1) void stream.write(encodeStreamItems([Uint8Array.of(item)]));
    await clock.advance(4_000);
    const { items } = collect(8);
    await clock.settle();
    expect(items).toHaveLength(200);
    expect(port.counters.unclaimed).toBe(0);
  });

  it("drops and counts the items of a stream whose flow nobody claims within six seconds", async () => {
    const stream = await server.openStream();
    await stream.write(encodeStreamStart(8));
    await stream.write(encodeStreamItems([Uint8Array.of(1), Uint8Array.of(2)]));
    await clock.advance(6_100);
    expect(port.counters.unclaimed).toBe(2);
  });

  it("stops a stream of a flow that was given up at once, and drops its datagrams", async () => {
    collect(8).release();
    const stream = await server.openStream();
    await stream.write(encodeStreamStart(8));
    server.sendDatagram(Uint8Array.of(8, 1));
    await clock.settle();
    await expect(stream.write(encodeStreamItems([Uint8Array.of(2)]))).rejects.toMatchObject({
      code: "connection-lost",
    });
    expect(port.counters.unclaimed).toBe(1);
    await clock.advance(400);
    expect(collect(8)).toMatchObject({ datagrams: [], items: [] });
  });

  it("reads a stream at the pace of its sink, and stops it when the sink wants no more", async () => {
    const items: number[] = [];
    const paces = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
    port.claim(8, {
      datagram: () => {},
      item: (bytes) => {
        items.push(bytes[0] as number);
        return paces[items.length - 1]?.promise;
      },
    });
    const stream = await server.openStream();
    await stream.write(encodeStreamStart(8));
    await stream.write(encodeStreamItems([1, 2, 3].map((item) => Uint8Array.of(item))));
    await clock.settle();
    expect(items).toEqual([1]);
    paces[0].resolve();
    await clock.settle();
    expect(items).toEqual([1, 2]);
    paces[1].reject(new ParleyError({ code: "data-unread", message: "Enough." }));
    await clock.settle();
    expect(items).toEqual([1, 2]);
    await expect(stream.write(Uint8Array.of(1, 4))).rejects.toMatchObject({ code: "connection-lost" });
  });

  it("tells when the carrier took an item, and when it cannot", async () => {
    const taken = port.writeItem(10, Uint8Array.of(1));
    await clock.settle();
    expect(await taken).toBe(true);
    opened[0]?.stop(7);
    await clock.settle();
    expect(await port.writeItem(10, Uint8Array.of(2))).toBe(false);
    expect(port.counters.undelivered).toBe(1);
  });

  it("writes items of a flow to one stream, in order, and finishes it", async () => {
    port.sendItem(10, Uint8Array.of(1));
    port.sendItem(10, Uint8Array.of(2, 2));
    await clock.settle();
    const finished = port.finishStream(10);
    const chunks: number[] = [];
    const [stream] = opened;
    for (let chunk = await stream?.read(); chunk !== undefined; chunk = await stream?.read())
      chunks.push(...chunk);
    await finished;
    expect(opened).toHaveLength(1);
    expect(chunks).toEqual([10, 1, 1, 2, 2, 2]);
  });
});
