import { type Duplex, duplexPair } from "node:stream";
import { describe, expect, test } from "vitest";
import { Headers } from "../../codecs/headers.ts";
import { type AgtpRequest, type AgtpResponse, serializeRequest } from "../../codecs/message.ts";
import {
  CLOSE_CODES,
  type CloseInfo,
  type Connection,
  type ConnectionHandlers,
  type MediaOpening,
  type ReceiveStream,
} from "../../sfu/carrier.ts";
import { VirtualClock } from "../../test/net/virtual-clock.ts";
import { receiveExchange } from "../exchange.ts";
import { encodeFrame } from "../mux/frames.ts";
import { MAX_BUFFERED_BYTES } from "../mux/muxed.ts";
import { ByteSocket, CLOSE_TIMEOUT_MS } from "./byte-socket.ts";
import { createTlsCounters } from "./counters.ts";
import { TlsMediaDoor } from "./media-door.ts";
import { withLength } from "./message-splitter.ts";
import { TlsPool } from "./pool.ts";
import { TlsServerConnection } from "./server-connection.ts";

const REQUEST: AgtpRequest = {
  dialect: "base",
  method: "OPEN",
  path: "/sessions/1/media",
  query: new Map(),
  headers: new Headers(),
  body: new Uint8Array(),
};

function answer(status: number): AgtpResponse {
  return { dialect: "base", status, reason: "", headers: new Headers(), body: new Uint8Array() };
}

/** What reached one end of a connection. */
class Side implements ConnectionHandlers {
  readonly datagrams: number[][] = [];
  readonly streams: ReceiveStream[] = [];
  readonly closes: CloseInfo[] = [];

  datagram(bytes: Uint8Array): void {
    this.datagrams.push([...bytes.subarray(0, 8)]);
  }
  stream(stream: ReceiveStream): void {
    this.streams.push(stream);
  }
  exchange(): void {}
  closed(info: CloseInfo): void {
    this.closes.push(info);
  }
}

/** A client's door to media and a server that grants what it asks, on virtual time. */
class Scene {
  readonly clock = new VirtualClock();
  readonly counters = createTlsCounters();
  readonly client: Duplex;
  readonly server: Duplex;
  readonly atClient = new Side();
  readonly atServer = new Side();
  readonly connection: TlsServerConnection;
  readonly door: TlsMediaDoor;

  constructor(
    options: {
      readonly status?: number | "silent";
      readonly pings?: boolean;
      readonly turns?: number;
      readonly isLate?: boolean;
    } = {},
  ) {
    const { status = 200, pings = true, turns = 0, isLate = false } = options;
    const end = { clock: this.clock, ...(pings ? {} : { liveness: false as const }) };
    [this.client, this.server] = duplexPair();
    for (const one of [this.client, this.server]) one.on("error", () => {});
    this.connection = new TlsServerConnection(
      this.server,
      { url: "https://parley.test:4480/agtp" },
      { channelBinding: undefined, peerKey: undefined, peerCertificates: [] },
      { ...end, counters: this.counters },
    );
    this.connection.start((connection) => ({
      datagram: (bytes) => this.atServer.datagram(bytes),
      stream: (stream) => this.atServer.stream(stream),
      closed: (info) => this.atServer.closed(info),
      exchange: (stream) => {
        const granted = async (): Promise<void> => {
          const { responder } = await receiveExchange(stream);
          if (status === "silent") return;
          await responder.respond(answer(status), true);
          for (let turn = 0; turn < turns; turn++) await undefined;
          // Long enough for the connection to wait for its next request.
          for (let turn = 0; isLate && turn < 3; turn++)
            await new Promise((resolve) => setImmediate(resolve));
          if (status === 200) connection.beginMedia?.();
        };
        granted().catch(() => {});
      },
    }));
    const facts = { url: "https://parley.test:4480/agtp", pinned: undefined, choice: undefined };
    const dial = () =>
      Promise.resolve({
        socket: new ByteSocket(this.client, this.clock, () => {
          this.client.destroy();
          this.server.destroy();
        }),
        channelBinding: Uint8Array.of(7),
      });
    this.door = new TlsMediaDoor(facts, dial, end, 5_000);
  }

  async settle(): Promise<void> {
    for (let i = 0; i < 12; i++) await this.clock.settle();
  }

  async open(): Promise<MediaOpening> {
    const opening = this.door.open(
      (channelBinding) => {
        expect(channelBinding).toEqual(Uint8Array.of(7));
        return Promise.resolve(REQUEST);
      },
      () => this.atClient,
    );
    opening.catch(() => {});
    await this.settle();
    return await opening;
  }

  async opened(): Promise<Connection> {
    const { connection } = await this.open();
    if (connection === undefined) throw new Error("refused");
    return connection;
  }

  /** Speaks to the server without a client. */
  async say(...bytes: Uint8Array[]): Promise<void> {
    this.client.on("data", () => {});
    this.server.once("close", () => this.client.destroy());
    this.client.write(Buffer.concat(bytes));
    await this.settle();
  }

  async expectReleased(): Promise<void> {
    await this.clock.advance(CLOSE_TIMEOUT_MS);
    await this.settle();
    expect([this.client.destroyed, this.server.destroyed]).toEqual([true, true]);
    expect(this.clock.pending).toBe(0);
    expect(this.atServer.closes).toHaveLength(1);
  }
}

async function readAll(stream: ReceiveStream): Promise<number> {
  let length = 0;
  for (let piece = await stream.read(); piece !== undefined; piece = await stream.read())
    length += piece.length;
  return length;
}

describe("media over TLS", () => {
  test("goes both ways, in datagrams and in streams, and measures the round trip", async () => {
    const scene = new Scene();
    const client = await scene.opened();
    const server = scene.connection;
    for (const [from, to] of [
      [client, scene.atServer],
      [server, scene.atClient],
    ] as const) {
      expect(from.sendDatagram(Uint8Array.of(9, 1))).toBe("sent");
      expect(from.sendDatagram(new Uint8Array(1_151))).toBe("too-large");
      const stream = await from.openStream();
      const written = stream.write(new Uint8Array(300_000)).then(() => stream.finish());
      await scene.settle();
      const read = readAll(to.streams[0] as ReceiveStream);
      await scene.clock.advance(500);
      await written;
      expect(await read).toBe(300_000);
      expect(to.datagrams).toEqual([[9, 1]]);
    }
    expect(client.roundTrip).toBe(0);
    expect(server.roundTrip).toBe(0);
    expect(await client.probe(1_000)).toBeUndefined();
    expect(client.drops).toEqual({ late: 0, full: 0 });
    expect(server.drops).toEqual({ late: 0, full: 0 });
    await expect(client.openExchange()).rejects.toMatchObject({ code: "usage" });
    client.close(CLOSE_CODES.normal, "");
    await scene.settle();
    await scene.expectReleased();
  });

  test("lets audio go before a stream that was begun earlier", async () => {
    const scene = new Scene();
    const client = await scene.opened();
    const stream = await client.openStream();
    stream.write(new Uint8Array(1_000_000)).catch(() => {});
    let bulk = 0;
    scene.client.cork();
    await scene.settle();
    client.sendDatagram(Uint8Array.of(9));
    scene.client.uncork();
    await scene.settle();
    const reading = scene.atServer.streams[0] as ReceiveStream;
    bulk += (await reading.read())?.length ?? 0;
    expect(scene.atServer.datagrams).toEqual([[9]]);
    expect(bulk).toBeLessThan(64 * 1024 + 1);
    client.close(CLOSE_CODES.normal, "");
    await scene.expectReleased();
  });

  test("takes what the client says before this side has turned to media", async () => {
    const scene = new Scene({ turns: 40 });
    const datagram = withLength(encodeFrame({ type: "datagram", bytes: Uint8Array.of(9, 2) }));
    await scene.say(serializeRequest(REQUEST), datagram, datagram);
    expect(scene.atServer.datagrams).toEqual([
      [9, 2],
      [9, 2],
    ]);
    await scene.say(datagram);
    expect(scene.atServer.datagrams).toHaveLength(3);
  });

  test("waits for the answer that is still going out", async () => {
    const scene = new Scene({ status: "silent" });
    await scene.say(serializeRequest(REQUEST));
    scene.connection.beginMedia();
    expect(scene.connection.sendDatagram(Uint8Array.of(9))).toBe("closed");
    scene.connection.close(CLOSE_CODES.normal, "");
    scene.connection.beginMedia();
    expect(scene.connection.sendDatagram(Uint8Array.of(9))).toBe("closed");
    await scene.expectReleased();
  });

  test("ends at both ends with the code and reason of who closes it", async () => {
    for (const closer of ["client", "server"] as const) {
      const scene = new Scene();
      const client = await scene.opened();
      const [own, other] =
        closer === "client" ? [client, scene.atServer] : [scene.connection, scene.atClient];
      own.close(CLOSE_CODES.replaced, "another one came");
      await scene.settle();
      expect(other.closes).toEqual([{ code: CLOSE_CODES.replaced, reason: "another one came" }]);
      expect(own.sendDatagram(Uint8Array.of(9))).toBe("closed");
      await expect(own.openStream()).rejects.toMatchObject({ code: "closed" });
      await scene.expectReleased();
      expect(scene.atClient.closes).toHaveLength(1);
    }
  });

  test("is over for both when either leaves without a word", async () => {
    for (const leave of [(one: Duplex) => one.end(), (one: Duplex) => one.destroy()])
      for (const who of ["client", "server"] as const) {
        const scene = new Scene();
        await scene.opened();
        leave(scene[who]);
        await scene.settle();
        const told = who === "client" ? scene.atServer : scene.atClient;
        expect(told.closes).toEqual([
          { code: CLOSE_CODES.normal, reason: "the peer left without a word", isLost: true },
        ]);
        await scene.expectReleased();
      }
  });

  test("is over when the peer is silent", async () => {
    const scene = new Scene();
    await scene.say(serializeRequest(REQUEST));
    await scene.clock.advance(15_000);
    expect(scene.atServer.closes).toMatchObject([{ code: CLOSE_CODES.livenessTimeout }]);
    await scene.expectReleased();
  });

  test("is not idle, however long nobody asks anything", async () => {
    for (const isLate of [false, true]) {
      const scene = new Scene({ isLate, pings: !isLate });
      await scene.opened();
      await scene.clock.advance(300_000);
      expect(scene.atServer.closes).toEqual([]);
      expect(scene.counters.idle).toBe(0);
    }
  });

  test.each([
    ["a length of nothing", Uint8Array.of(0), /length/],
    ["a length that no message has", Uint8Array.of(0xbf, 0xff, 0xff, 0xff), /length/],
    ["a type that is none", Uint8Array.of(1, 99), /no such type/],
    ["requests", new Uint8Array(Buffer.concat(Array(10).fill(serializeRequest(REQUEST)))), /no such type/],
    ["an exchange", withLength(encodeFrame({ type: "open", stream: 0 })), /no exchanges/],
    ["bytes for no stream", withLength(encodeFrame({ type: "finish", stream: 6 })), /not open/],
  ])("refuses %s and says so", async (_, bytes, why) => {
    const scene = new Scene();
    const client = await scene.opened();
    scene.client.write(bytes);
    await scene.settle();
    const { code } = { code: CLOSE_CODES.protocolViolation };
    expect(scene.atServer.closes).toMatchObject([{ code }]);
    expect(scene.atServer.closes[0]?.reason).toMatch(why);
    expect(scene.atClient.closes).toMatchObject([{ code }]);
    expect(client.sendDatagram(Uint8Array.of(9))).toBe("closed");
    await scene.expectReleased();
  });

  test("ends when more waits in the socket than a peer that reads would leave there", async () => {
    const scene = new Scene();
    await scene.opened();
    Object.defineProperty(scene.server, "writableLength", { get: () => MAX_BUFFERED_BYTES + 1 });
    scene.connection.sendDatagram(Uint8Array.of(9));
    await scene.settle();
    expect(scene.atServer.closes).toMatchObject([{ code: CLOSE_CODES.overloaded }]);
    expect(scene.counters.overloaded).toBe(1);
    await scene.expectReleased();
  });
});

describe("the door to media", () => {
  test("gives a refusal, without a connection", async () => {
    const scene = new Scene({ status: 403 });
    const { answer, connection } = await scene.open();
    expect([answer.status, connection]).toEqual([403, undefined]);
    await scene.expectReleased();
  });

  test("throws when no answer comes in time, or the server leaves instead", async () => {
    const slow = new Scene({ status: "silent" });
    const opening = slow.door.open(
      () => Promise.resolve(REQUEST),
      () => slow.atClient,
    );
    opening.catch(() => {});
    await slow.clock.advance(5_000);
    await expect(opening).rejects.toMatchObject({ code: "connect-timeout" });
    await slow.expectReleased();
    const gone = new Scene({ status: "silent" });
    const lost = gone.door.open(
      () => Promise.resolve(REQUEST),
      () => gone.atClient,
    );
    lost.catch(() => {});
    await gone.settle();
    gone.connection.close(CLOSE_CODES.shutdown, "");
    await gone.settle();
    await expect(lost).rejects.toMatchObject({ code: "connection-lost" });
    await gone.expectReleased();
  });

  test("throws what is wrong with the answer, with the request, or with whoever takes the connection", async () => {
    const garbage = new Scene({ status: "silent" });
    const opening = garbage.open();
    garbage.server.write("HTTP/1.1 400 Bad Request\r\n\r\n");
    await expect(opening).rejects.toMatchObject({ code: "version-unsupported" });
    await garbage.expectReleased();
    const failing = new Scene();
    const thrown = new Error("no key");
    await expect(
      failing.door.open(
        () => Promise.reject(thrown),
        () => failing.atClient,
      ),
    ).rejects.toBe(thrown);
    await failing.settle();
    await failing.expectReleased();
    const unwilling = new Scene();
    const refusing = unwilling.door.open(
      () => Promise.resolve(REQUEST),
      () => {
        throw thrown;
      },
    );
    refusing.catch(() => {});
    await unwilling.settle();
    await expect(refusing).rejects.toBe(thrown);
    await unwilling.expectReleased();
  });

  test("closes with its pool: what is open and what is being opened", async () => {
    for (const status of [200, "silent"] as const) {
      const scene = new Scene({ status });
      const facts = { url: "https://parley.test:4480/agtp", pinned: undefined, choice: undefined };
      const never = () => Promise.reject(new Error("never"));
      const pool = new TlsPool(facts, never, { clock: scene.clock }, scene.door);
      pool.start(() => new Side());
      const opening = scene.open();
      opening.catch(() => {});
      await scene.settle();
      pool.close(CLOSE_CODES.forbidden, "enough");
      await scene.settle();
      if (status === 200) {
        expect(scene.atServer.closes).toEqual([{ code: CLOSE_CODES.forbidden, reason: "enough" }]);
        expect(scene.atClient.closes).toEqual([{ code: CLOSE_CODES.forbidden, reason: "enough" }]);
      } else await expect(opening).rejects.toMatchObject({ code: "closed" });
      await expect(scene.open()).rejects.toMatchObject({ code: "closed" });
      await scene.expectReleased();
    }
  });
});
