import { expect, test } from "vitest";
import type { Connection, ConnectionHandlers, ReceiveStream } from "../../sfu/carrier.ts";
import { VirtualClock } from "../../test/net/virtual-clock.ts";
import { MemoryNetwork } from "../../transports/memory.ts";
import { EmulatedNetwork } from "./emulated-network.ts";
import { type LinkConditions, PRESETS } from "./link.ts";

/** What one end got, with the times of it. */
interface Arrived {
  readonly datagrams: { readonly at: number; readonly first: number }[];
  readonly streams: ReceiveStream[];
}

/** An agent's connection through an emulated network to a server that answers exchanges with what they carry. */
async function connected(conditions: LinkConditions | undefined) {
  const clock = new VirtualClock();
  const network = new EmulatedNetwork(7);
  network.change(conditions);
  const [here, there]: [Arrived, Arrived] = [
    { datagrams: [], streams: [] },
    { datagrams: [], streams: [] },
  ];
  const servers: Connection[] = [];
  const closes: string[] = [];
  const handlersOf = (arrived: Arrived): ConnectionHandlers => ({
    datagram: (bytes) => arrived.datagrams.push({ at: clock.now(), first: bytes[0] ?? -1 }),
    stream: (stream) => arrived.streams.push(stream),
    exchange: (stream) => void answer(stream.receive, (bytes) => stream.send.write(bytes)),
    closed: ({ reason }) => closes.push(reason),
  });
  const memory = new MemoryNetwork({ clock, liveness: false });
  memory.listen("server:4480", (connection) => {
    servers.push(connection);
    return handlersOf(there);
  });
  const connection = await network
    .over(memory, clock)
    .connect("https://server:4480/agtp", {}, () => handlersOf(here));
  return { clock, network, here, there, connection, server: servers[0] as Connection, closes };
}

async function answer(stream: ReceiveStream, write: (bytes: Uint8Array) => Promise<void>): Promise<void> {
  for (let bytes = await stream.read(); bytes !== undefined; bytes = await stream.read()) await write(bytes);
}

/** Everything that a stream brings, and when its end came. */
async function all(stream: ReceiveStream, clock: VirtualClock) {
  const read: number[] = [];
  for (let bytes = await stream.read(); bytes !== undefined; bytes = await stream.read()) read.push(...bytes);
  return { read, at: clock.now() };
}

const numbered = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => index % 251);

test("a clear network adds nothing, and later conditions hold for what is up", async () => {
  const { clock, network, connection, server, here, there } = await connected(undefined);
  connection.sendDatagram(Uint8Array.of(1));
  await clock.settle();
  network.change({ delay: 100 });
  connection.sendDatagram(Uint8Array.of(2));
  server.sendDatagram(Uint8Array.of(3));
  await clock.advance(200);
  network.change(undefined);
  connection.sendDatagram(Uint8Array.of(4));
  await clock.settle();
  expect(there.datagrams).toEqual([
    { at: 0, first: 1 },
    { at: 100, first: 2 },
    { at: 200, first: 4 },
  ]);
  expect(here.datagrams).toEqual([{ at: 100, first: 3 }]);
});

test.each(Object.entries(PRESETS))(
  "through %s streams come whole and in order, both ways",
  async (_, preset) => {
    const { clock, connection, server, here, there } = await connected(preset);
    const sent = numbered(40_000);
    for (const [from, arrived] of [
      [connection, there],
      [server, here],
    ] as const) {
      const stream = await from.openStream();
      const writing = stream.write(sent).then(() => stream.finish());
      await clock.advance(20_000);
      await writing;
      const { read } = await all(arrived.streams[0] as ReceiveStream, clock);
      expect(read).toEqual([...sent]);
    }
    const exchange = await connection.openExchange();
    const asked = exchange.send.write(sent.subarray(0, 3_000));
    await clock.advance(10_000);
    await asked;
    const first = await exchange.receive.read();
    expect(first?.[0]).toBe(0);
  },
);

test("a bottleneck holds a stream to its rate, and datagrams pass what waits for it", async () => {
  const { clock, connection, there } = await connected({ delay: 20, rate: 300_000 });
  const stream = await connection.openStream();
  let written = false;
  void stream.write(numbered(37_500)).then(() => {
    written = true;
  });
  for (let frame = 0; frame < 50; frame += 1) {
    connection.sendDatagram(Uint8Array.of(frame + 1));
    await clock.advance(20);
  }
  // A second of its rate, less what the voice and its headers took, is through.
  expect(written).toBe(false);
  await clock.advance(200);
  expect(there.datagrams).toHaveLength(50);
  for (const { at, first } of there.datagrams) expect(at - 20 * (first - 1)).toBeLessThan(130);
  await clock.advance(1_000);
  expect(written).toBe(true);
});

test("a stream that is reset brings nothing more, and a closed connection takes nothing", async () => {
  const { clock, connection, server, there, closes } = await connected({ delay: 50, rate: 300_000 });
  const stream = await connection.openStream();
  void stream.write(numbered(30_000));
  await clock.advance(200);
  stream.reset(5);
  await clock.advance(2_000);
  await expect(all(there.streams[0] as ReceiveStream, clock)).rejects.toMatchObject({
    code: "connection-lost",
  });
  server.close(4, "enough");
  await clock.settle();
  expect(closes).toContain("enough");
  expect(connection.sendDatagram(Uint8Array.of(1))).toBe("closed");
});

test("a reader that stops holds the writer up, within a cap", async () => {
  const { clock, connection, server, here } = await connected({ delay: 5 });
  const stream = await server.openStream();
  let written = 0;
  const endless = (async () => {
    for (;;) {
      await stream.write(new Uint8Array(10_000));
      written += 10_000;
    }
  })();
  await clock.advance(5_000);
  // Its own buffer and that of the connection underneath.
  expect(written).toBeLessThan(800_000);
  expect(here.streams).toHaveLength(1);
  const before = written;
  const reading = (async () => {
    for (let read = 0; read < 400; read += 1) await (here.streams[0] as ReceiveStream).read();
  })();
  await clock.advance(1_000);
  await reading;
  expect(written).toBeGreaterThan(before);
  connection.close(0, "done");
  await expect(endless).rejects.toMatchObject({ code: "connection-lost" });
});
