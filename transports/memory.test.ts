import { describe, expect, test } from "vitest";
import { CLOSE_CODES, type CloseInfo, type ConnectionHandlers, type ReceiveStream } from "../sfu/carrier.ts";
import { Link, type LinkConditions } from "../src/emulation/link.ts";
import { SeededRandom } from "../src/emulation/seeded-random.ts";
import { VirtualClock } from "../test/net/virtual-clock.ts";
import { type MemoryOptions, memoryPair } from "./memory.ts";
import { STREAM_BUFFER_BYTES } from "./memory-stream.ts";

const ignore: ConnectionHandlers = { datagram() {}, stream() {}, exchange() {}, closed() {} };

/** Two ends over two links of the same conditions, and what reached the server with its time. */
function emulated(conditions: LinkConditions, options: Partial<MemoryOptions> = {}) {
  const clock = new VirtualClock();
  const seen: { at: number; id: number }[] = [];
  const closed: { at: number; info: CloseInfo }[] = [];
  const streams: ReceiveStream[] = [];
  const toServer = new Link(conditions, new SeededRandom(1));
  const toClient = new Link(conditions, new SeededRandom(2));
  const pair = memoryPair(
    { clock, toServer, toClient, ...options },
    () => ({ ...ignore, closed: (info) => closed.push({ at: clock.now(), info }) }),
    () => ({
      ...ignore,
      datagram: (bytes) => seen.push({ at: clock.now(), id: bytes[1] ?? 0 }),
      stream: (stream) => streams.push(stream),
    }),
  );
  return { clock, seen, closed, streams, toServer, toClient, ...pair };
}

describe("in-memory connection over a link", () => {
  test("datagrams take the link's delay, and its losses are gone", async () => {
    const { clock, seen, client, toServer } = emulated(
      { delay: 50, loss: 0.2, burst: 2 },
      { liveness: false },
    );
    for (let i = 0; i < 200; i++) {
      client.sendDatagram(Uint8Array.of(1, i));
      await clock.advance(20);
    }
    await clock.advance(100);
    expect(seen.length).toBe(200 - toServer.counters.lost);
    expect(toServer.counters.lost).toBeGreaterThan(10);
    for (const { at, id } of seen) expect(at).toBe(id * 20 + 50);
  });

  test("the carrier's ping measures the round trip", async () => {
    const { clock, client, server } = emulated({ delay: 35 });
    expect(client.roundTrip).toBeUndefined();
    await clock.advance(80);
    expect(client.roundTrip).toBe(70);
    expect(server.roundTrip).toBe(70);
  });

  test("the carrier's pings never reach the owners", async () => {
    const { clock, seen } = emulated({ delay: 35 });
    await clock.advance(60_000);
    expect(seen).toEqual([]);
  });

  test("a link that dies closes both ends by liveness, 15 s after the last sign", async () => {
    const { clock, closed, toServer, toClient, client } = emulated({ delay: 10 });
    await clock.advance(7_000);
    const dead = { delay: 10, loss: 1 };
    toServer.change(dead, clock.now());
    toClient.change(dead, clock.now());
    await clock.advance(60_000);
    // The last pong arrived 20 ms after the ping at 5 s.
    expect(closed).toEqual([
      { at: 20_020, info: { code: CLOSE_CODES.livenessTimeout, reason: "no sign of life from the peer" } },
    ]);
    expect(client.sendDatagram(Uint8Array.of(1))).toBe("closed");
  });

  test("no preset-like loss looks like death in ten quiet minutes", async () => {
    const { clock, closed } = emulated({ delay: 80, jitter: 40, loss: 0.1, burst: 3 });
    await clock.advance(600_000);
    expect(closed).toEqual([]);
  });

  test("stream bytes arrive whole and in order however the link jitters and loses", async () => {
    const { clock, streams, client } = emulated(
      { delay: 50, jitter: 40, loss: 0.2, burst: 3 },
      { liveness: false },
    );
    const stream = await client.openStream();
    const content = Uint8Array.from({ length: 3000 }, (_, i) => i * 31);
    void (async () => {
      for (let at = 0; at < content.length; at += 30) await stream.write(content.subarray(at, at + 30));
      await stream.finish();
    })();
    await clock.advance(300);
    const reader = streams[0] as ReceiveStream;
    const got: number[] = [];
    let ended = false;
    void (async () => {
      for (let chunk = await reader.read(); chunk !== undefined; chunk = await reader.read())
        got.push(...chunk);
      ended = true;
    })();
    await clock.advance(10_000);
    expect(ended).toBe(true);
    expect(got).toEqual([...content]);
  });

  test("a writer gets ahead of its reader by the named buffer and no further", async () => {
    const { clock, streams, client } = emulated({ delay: 5 }, { liveness: false });
    const stream = await client.openStream();
    let taken = 0;
    void (async () => {
      for (;;) {
        await stream.write(new Uint8Array(1024));
        taken += 1024;
      }
    })().catch(() => {});
    await clock.advance(1000);
    expect(taken).toBe(STREAM_BUFFER_BYTES);
    await streams[0]?.read();
    await clock.advance(1000);
    expect(taken).toBe(STREAM_BUFFER_BYTES + 1024);
  });

  test("a close takes the link's delay too", async () => {
    const { clock, closed, server } = emulated({ delay: 300 });
    server.close(CLOSE_CODES.shutdown, "bye");
    await clock.advance(299);
    expect(closed).toEqual([]);
    await clock.advance(1);
    expect(closed).toEqual([{ at: 300, info: { code: CLOSE_CODES.shutdown, reason: "bye" } }]);
  });

  test("past its cap of datagrams under way further ones are dropped and counted", async () => {
    const { clock, seen, client } = emulated({ delay: 1000 }, { liveness: false });
    for (let i = 0; i < 16_400; i++) expect(client.sendDatagram(Uint8Array.of(1, i))).toBe("sent");
    expect(client.drops).toEqual({ late: 0, full: 16 });
    await clock.advance(1000);
    expect(seen.length).toBe(16_384);
  });

  test("the same seeds give the same run", async () => {
    const run = async (): Promise<{ at: number; id: number }[]> => {
      const { clock, seen, client } = emulated({ delay: 80, jitter: 40, loss: 0.1, burst: 3, reorder: true });
      for (let i = 0; i < 100; i++) {
        client.sendDatagram(Uint8Array.of(1, i));
        await clock.advance(20);
      }
      return seen;
    };
    expect(await run()).toEqual(await run());
  });
});
