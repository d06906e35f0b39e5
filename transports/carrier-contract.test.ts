import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  CLOSE_CODES,
  type CloseInfo,
  type Connection,
  type ConnectionHandlers,
  type DuplexStream,
  MAX_DATAGRAM_BYTES,
  type ReceiveStream,
} from "../sfu/carrier.ts";
import { type CarrierWorld, carrierWorlds, fastClock } from "../test/carrier-worlds.ts";
import type { Accept } from "./connection-end.ts";
import { MemoryNetwork } from "./memory.ts";
import { storedCertificate } from "./webtransport/certificate.ts";
import { listenWebTransport } from "./webtransport/server.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parley-carrier-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** One side of a connection with everything that reached it. */
class Side {
  readonly connection = Promise.withResolvers<Connection>();
  readonly datagrams: number[][] = [];
  readonly streams = new Arrivals<ReceiveStream>();
  readonly exchanges = new Arrivals<DuplexStream>();
  readonly closed = new Arrivals<CloseInfo>();

  accept = (connection: Connection): ConnectionHandlers => {
    this.connection.resolve(connection);
    return {
      datagram: (bytes) => this.datagrams.push([...bytes]),
      stream: (stream) => this.streams.add(stream),
      exchange: (stream) => this.exchanges.add(stream),
      closed: (info) => this.closed.add(info),
    };
  };
}

/** Things that come one after the other, and who waits for them. */
class Arrivals<T> {
  readonly all: T[] = [];
  #taken = 0;
  #wake: (() => void) | undefined;

  add(thing: T): void {
    this.all.push(thing);
    this.#wake?.();
  }

  async next(): Promise<T> {
    while (this.all.length <= this.#taken) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.all[this.#taken++] as T;
  }
}

type Make = (accept: Accept, fault?: (error: unknown) => void) => Promise<CarrierWorld>;

interface Call {
  readonly client: Connection;
  readonly server: Connection;
  readonly atClient: Side;
  readonly atServer: Side;
  readonly world: CarrierWorld;
}

async function call(make: Make, path = "/agtp"): Promise<Call> {
  const atClient = new Side();
  const atServer = new Side();
  const world = await make(atServer.accept);
  const url = world.url.replace("/agtp", path);
  const client = await world.carrier.connect(url, world.connect, atClient.accept);
  return { client, server: await atServer.connection.promise, atClient, atServer, world };
}

async function readAll(stream: ReceiveStream): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for (let chunk = await stream.read(); chunk !== undefined; chunk = await stream.read()) chunks.push(chunk);
  return new Uint8Array(Buffer.concat(chunks));
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}

function bytes(length: number): Uint8Array {
  const made = new Uint8Array(length);
  for (let i = 0; i < length; i++) made[i] = i * 7;
  return made;
}

describe.each(Object.entries(carrierWorlds))("%s", (_, makeWorld) => {
  const make: Make = (accept, fault) => makeWorld(accept, { folder, ...(fault && { fault }) });

  test("datagrams arrive as they were when sent", async () => {
    const { client, server, atClient, atServer, world } = await call(make);
    const reused = Buffer.alloc(3);
    for (let i = 0; i < 200; i++) {
      reused.set([1, i, 2]);
      expect(client.sendDatagram(reused)).toBe("sent");
    }
    expect(server.sendDatagram(Uint8Array.of(9))).toBe("sent");
    await until(() => atServer.datagrams.length === 200 && atClient.datagrams.length === 1);
    // Order is not promised: a process that is behind asks its stack for several at once.
    const inOrder = atServer.datagrams.toSorted(([, a = 0], [, b = 0]) => a - b);
    expect(inOrder).toEqual(Array.from({ length: 200 }, (_, i) => [1, i, 2]));
    await world.listener.close();
  });

  test("a datagram beyond the limit is refused, the limit itself goes through", async () => {
    const { client, atServer, world } = await call(make);
    expect(client.maxDatagram).toBe(MAX_DATAGRAM_BYTES);
    expect(client.sendDatagram(new Uint8Array(MAX_DATAGRAM_BYTES + 1).fill(1))).toBe("too-large");
    expect(client.sendDatagram(new Uint8Array(MAX_DATAGRAM_BYTES).fill(1))).toBe("sent");
    await until(() => atServer.datagrams.length === 1);
    expect(atServer.datagrams[0]?.length).toBe(MAX_DATAGRAM_BYTES);
    await world.listener.close();
  });

  test("an exchange carries bytes both ways, and each way ends on its own", async () => {
    const { client, atServer, world } = await call(make);
    const asked = await client.openExchange();
    const reused = Buffer.from(bytes(10));
    await asked.send.write(reused);
    reused.fill(99);
    await asked.send.finish();
    const answered = await atServer.exchanges.next();
    expect(await readAll(answered.receive)).toEqual(bytes(10));
    await answered.send.write(bytes(20));
    await answered.send.finish();
    expect(await readAll(asked.receive)).toEqual(bytes(20));
    expect(await asked.receive.read()).toBeUndefined();
    await world.listener.close();
  });

  test("servers do not open exchanges", async () => {
    const { server, world } = await call(make);
    await expect(server.openExchange()).rejects.toMatchObject({ code: "usage" });
    await world.listener.close();
  });

  test("both sides open unidirectional streams", async () => {
    const { client, server, atClient, atServer, world } = await call(make);
    for (const [from, to] of [
      [client, atServer],
      [server, atClient],
    ] as const) {
      const stream = await from.openStream();
      await stream.write(bytes(5));
      await stream.finish();
      expect(await readAll(await to.streams.next())).toEqual(bytes(5));
    }
    await world.listener.close();
  });

  test("a writer waits for a slow reader and nothing is lost", async () => {
    const { client, atServer, world } = await call(make);
    const stream = await client.openStream();
    const content = bytes(5_000_000);
    let written = false;
    const writing = stream
      .write(content)
      .then(() => stream.finish())
      .then(() => {
        written = true;
      });
    const reader = await atServer.streams.next();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(written).toBe(false);
    const got = await readAll(reader);
    await writing;
    expect(Buffer.compare(got, content)).toBe(0);
    await world.listener.close();
  });

  test("a reset reaches the reader with its code and discards the rest", async () => {
    const { client, atServer, world } = await call(make);
    const stream = await client.openStream();
    await stream.write(bytes(100));
    const reader = await atServer.streams.next();
    expect((await reader.read())?.length).toBe(100);
    stream.reset(42);
    await expect(reader.read()).rejects.toMatchObject({
      code: "connection-lost",
      details: { stream_code: 42 },
    });
    await expect(stream.write(bytes(1))).rejects.toMatchObject({ code: "closed" });
    await world.listener.close();
  });

  test("a reset frees a writer that the peer holds up", async () => {
    const { client, world } = await call(make);
    const stream = await client.openStream();
    const writing = stream.write(new Uint8Array(20_000_000));
    const refused = expect(writing).rejects.toMatchObject({ code: "closed" });
    await new Promise((resolve) => setTimeout(resolve, 50));
    stream.reset(1);
    await refused;
    await world.listener.close();
  });

  test("a stop reaches the writer with its code, and frees the reader at once", async () => {
    const { client, atServer, world } = await call(make);
    const stream = await client.openStream();
    await stream.write(bytes(1));
    const reader = await atServer.streams.next();
    await reader.read();
    const pending = expect(reader.read()).rejects.toMatchObject({ code: "closed" });
    reader.stop(7);
    await pending;
    await expect(reader.read()).rejects.toMatchObject({ code: "closed" });
    const failure = (async () => {
      for (;;) {
        await stream.write(bytes(1));
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    })();
    await expect(failure).rejects.toMatchObject({ code: "connection-lost", details: { stream_code: 7 } });
    await world.listener.close();
  });

  test("writing or finishing after the finish is refused, a second reader too", async () => {
    const { client, atServer, world } = await call(make);
    const stream = await client.openStream();
    const reader = await atServer.streams.next();
    const first = reader.read();
    await expect(reader.read()).rejects.toMatchObject({ code: "usage" });
    await stream.write(bytes(1));
    await stream.finish();
    expect(await first).toEqual(Uint8Array.of(0));
    await expect(stream.write(bytes(1))).rejects.toMatchObject({ code: "closed" });
    await expect(stream.finish()).rejects.toMatchObject({ code: "closed" });
    await world.listener.close();
  });

  test("a close tells both owners once, with code and reason, and ends everything", async () => {
    const { client, server, atClient, atServer, world } = await call(make);
    const asked = await client.openExchange();
    await asked.send.write(bytes(1));
    const answered = await atServer.exchanges.next();
    await answered.receive.read();
    const here = expect(asked.receive.read()).rejects.toMatchObject({ code: "closed" });
    const there = expect(answered.receive.read()).rejects.toMatchObject({
      code: "connection-lost",
      details: { close_code: CLOSE_CODES.replaced, reason: "another attachment" },
    });
    client.close(CLOSE_CODES.replaced, "another attachment");
    client.close(CLOSE_CODES.normal, "again");
    expect(client.sendDatagram(bytes(1))).toBe("closed");
    const info = { code: CLOSE_CODES.replaced, reason: "another attachment" };
    expect(await atClient.closed.next()).toEqual(info);
    expect(await atServer.closed.next()).toEqual(info);
    await here;
    await there;
    await expect(client.openStream()).rejects.toMatchObject({ code: "closed" });
    await expect(client.openExchange()).rejects.toMatchObject({ code: "closed" });
    await expect(server.openStream()).rejects.toMatchObject({ code: "connection-lost" });
    expect(server.sendDatagram(bytes(1))).toBe("closed");
    server.close(CLOSE_CODES.normal, "late");
    await world.listener.close();
    expect([atClient.closed.all.length, atServer.closed.all.length]).toEqual([1, 1]);
  });

  test("an overlong reason is cut, not refused", async () => {
    const { client, atServer, world } = await call(make);
    client.close(CLOSE_CODES.normal, "é".repeat(5000));
    expect((await atServer.closed.next()).reason).toBe("é".repeat(256));
    await world.listener.close();
  });

  test("another path is closed as forbidden, and the listener's owner never hears of it", async () => {
    const atClient = new Side();
    const atServer = new Side();
    const world = await make(atServer.accept);
    await world.carrier.connect(world.url.replace("/agtp", "/other"), world.connect, atClient.accept);
    expect(await atClient.closed.next()).toEqual({
      code: CLOSE_CODES.forbidden,
      reason: "the path is not /agtp",
    });
    let heard = false;
    void atServer.connection.promise.then(() => {
      heard = true;
    });
    await world.listener.close();
    expect(heard).toBe(false);
  });

  test("each side knows the URL, the server without its query; a missing path means /agtp", async () => {
    const { client, server, world } = await call(make, "?pair=3&side=a");
    expect(new URL(client.url).pathname).toBe("/agtp");
    expect(new URL(server.url).pathname).toBe("/agtp");
    expect(new URL(client.url).search).toBe("?pair=3&side=a");
    expect(new URL(server.url).search).toBe("");
    await world.listener.close();
  });

  test("what is no URL to dial is refused as usage", async () => {
    const world = await make(() => {
      throw new Error("nobody comes");
    });
    for (const url of ["", "parley", "http://127.0.0.1:4480/agtp", "https://a:b@127.0.0.1/agtp"])
      await expect(world.carrier.connect(url, world.connect, new Side().accept)).rejects.toMatchObject({
        code: "usage",
      });
    await world.listener.close();
  });

  test("past the peer's limit of unfinished streams an opening is refused in time, and works again once some ended", async () => {
    const { client, atServer, world } = await call(make);
    const open = [];
    try {
      for (;;) open.push(await client.openStream());
    } catch (error) {
      expect(error).toMatchObject({ code: "capacity", retryable: true });
    }
    expect(open.length).toBeGreaterThanOrEqual(90);
    expect(open.length).toBeLessThanOrEqual(100);
    // Stacks give room back in portions.
    const ended = open.slice(0, 50);
    await Promise.all(ended.map((stream) => stream.finish()));
    let read = 0;
    for (let i = 0; i < open.length; i++) {
      void atServer.streams.next().then(async (stream) => {
        // The streams that stay unfinished are refused when the listener closes.
        await stream.read().then(
          () => read++,
          () => {},
        );
      });
    }
    await until(() => read === ended.length);
    const again = await client.openStream();
    await again.write(bytes(3));
    expect(await (await atServer.streams.next()).read()).toEqual(bytes(3));
    await world.listener.close();
  });

  test("a handler that throws is reported and the connection goes on", async () => {
    const faults: unknown[] = [];
    const failing = new Error("a fault in a handler");
    const seen: number[] = [];
    const accept: Accept = () => ({
      datagram(data) {
        if (data[0] === 1) throw failing;
        seen.push(data[0] ?? 0);
      },
      stream() {},
      exchange() {},
      closed() {},
    });
    const fault = (error: unknown): void => void faults.push(error);
    const { carrier, listener, url, connect } = await make(accept, fault);
    const client = await carrier.connect(url, connect, new Side().accept);
    client.sendDatagram(Uint8Array.of(1));
    client.sendDatagram(Uint8Array.of(2));
    await until(() => seen.length === 1);
    expect(seen).toEqual([2]);
    expect(faults).toEqual([failing]);
    await listener.close();
  });

  test("a listener's close shuts every connection and takes no more", async () => {
    const { client, atClient, atServer, world } = await call(make);
    await world.listener.close();
    await world.listener.close();
    const info = { code: CLOSE_CODES.shutdown, reason: "the server stops" };
    expect(await atClient.closed.next()).toEqual(info);
    expect(await atServer.closed.next()).toEqual(info);
    expect(client.sendDatagram(bytes(1))).toBe("closed");
    await expect(
      world.carrier.connect(world.url, { ...world.connect, connectTimeout: 2_000 }, new Side().accept),
    ).rejects.toMatchObject({ code: world.afterwards });
  });
});

describe("a taken address", () => {
  test("is refused in memory", () => {
    const network = new MemoryNetwork({ clock: fastClock });
    network.listen("h:1", new Side().accept);
    expect(() => network.listen("h:1", new Side().accept)).toThrow(
      expect.objectContaining({ code: "port-taken" }),
    );
  });

  test("is refused over UDP", async () => {
    const { listener, url } = await carrierWorlds.webtransport(new Side().accept, { folder });
    const certificate = await storedCertificate({ folder, now: Date.now() });
    const port = Number(new URL(url).port);
    await expect(
      listenWebTransport({ clock: fastClock, certificate, port }, new Side().accept),
    ).rejects.toMatchObject({ code: "port-taken" });
    await listener.close();
  });
});
