import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, connect as connectTcp, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Clock } from "../../codecs/clock.ts";
import { Headers } from "../../codecs/headers.ts";
import { type AgtpRequest, type AgtpResponse, serializeRequest } from "../../codecs/message.ts";
import { systemClock } from "../../platform/node/clock.ts";
import {
  CLOSE_CODES,
  type CloseInfo,
  type Connection,
  type DuplexStream,
  type MediaDoor,
} from "../../sfu/carrier.ts";
import { listenTls, type TlsListener } from "../../test/tls-server.ts";
import { until } from "../../test/waiting.ts";
import { openExchange, type Responder, receiveExchange } from "../exchange.ts";
import { type ServerCertificate, storedCertificate } from "../webtransport/certificate.ts";
import { WRITE_PIECE_BYTES } from "./byte-socket.ts";
import { tlsCarrier } from "./client.ts";
import { createTlsCounters } from "./counters.ts";

let folder = "";
let certificate: ServerCertificate;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parley-tls-"));
  certificate = await storedCertificate({ folder, now: Date.now() });
});
afterAll(() => rm(folder, { recursive: true }));

/** Real time that runs faster. */
const hastyClock: Clock = {
  now: () => systemClock.now() * 50,
  wall: () => systemClock.wall(),
  at: (at, fire) => systemClock.at(at / 50, fire),
};

const utf8 = (text: string) => new TextEncoder().encode(text);
const request = (path: string): AgtpRequest => ({
  dialect: "base",
  method: "QUERY",
  path,
  query: new Map(),
  headers: new Headers(),
  body: utf8("{}"),
});

function answer(result: object = {}): AgtpResponse {
  const headers = new Headers([["Content-Type", "application/agtp+json"]]);
  return { dialect: "base", status: 200, reason: "OK", headers, body: utf8(JSON.stringify({ result })) };
}

/** A listener that answers as the test likes, and a client of it. */
class World {
  readonly servers: Connection[] = [];
  readonly bindings: (Uint8Array | undefined)[] = [];
  readonly closed: CloseInfo[] = [];
  readonly serversClosed: CloseInfo[] = [];
  onMedia: (bytes: Uint8Array) => void = () => {};
  client!: Connection;
  listener!: TlsListener;

  static async open(
    reply: (responder: Responder, path: string) => Promise<void> = (responder) =>
      responder.respond(answer(), true),
  ): Promise<World> {
    const world = new World();
    world.listener = await listenTls({ clock: systemClock, certificate }, (connection) => {
      world.servers.push(connection);
      return {
        datagram: (bytes) => world.onMedia(bytes),
        stream() {},
        exchange: (stream) => {
          world.bindings.push(connection.channelBinding);
          void receiveExchange(stream)
            .then(async ({ responder, request }) => {
              await reply(responder, request?.path ?? "");
              if (request?.path === "/media") connection.beginMedia?.();
            })
            .catch(() => {});
        },
        closed: (info) => world.serversClosed.push(info),
      };
    });
    world.client = await world.dial();
    return world;
  }

  dial(): Promise<Connection> {
    return tlsCarrier({ clock: systemClock }).connect(
      this.listener.url,
      { certificateHashes: [certificate.hash] },
      () => ({ datagram() {}, stream() {}, exchange() {}, closed: (info) => this.closed.push(info) }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close(CLOSE_CODES.normal, "");
    await this.listener.close();
    await until("it holds", () => this.listener.sockets.size === 0);
  }
}

async function ask(stream: DuplexStream, path = "/a"): Promise<number[]> {
  const statuses: number[] = [];
  for await (const one of openExchange(stream, request(path))) statuses.push(one.status);
  return statuses;
}

describe("AGTP over TLS", () => {
  test("answers many requests on one connection, which both ends name alike", async () => {
    await using world = await World.open();
    for (let i = 0; i < 20; i++) {
      const stream = await world.client.openExchange();
      expect(await ask(stream)).toEqual([200]);
      expect(stream.channelBinding).toHaveLength(32);
      expect(stream.channelBinding).toEqual(world.bindings[i]);
    }
    expect(world.servers).toHaveLength(1);
    expect(world.client).toMatchObject({ carrier: "tls", pinned: certificate.hash, url: world.listener.url });
  });

  test("opens a connection for each request that is under way, each with its own binding, and keeps few", async () => {
    const held = Promise.withResolvers<void>();
    await using world = await World.open((responder) =>
      held.promise.then(() => responder.respond(answer(), true)),
    );
    const streams: DuplexStream[] = [];
    const asked: Promise<number[]>[] = [];
    for (let i = 0; i < 8; i++) {
      const stream = await world.client.openExchange();
      streams.push(stream);
      asked.push(ask(stream));
    }
    expect(new Set(streams.map((one) => Buffer.from(one.channelBinding ?? "").toString("hex"))).size).toBe(8);
    held.resolve();
    expect(await Promise.all(asked)).toEqual(Array(8).fill([200]));
    await until("it holds", () => world.listener.sockets.size === 4);
    expect(world.serversClosed).toHaveLength(4);
  });

  test("gives the connection back after the final answer of a series, though the reader stops there", async () => {
    await using world = await World.open(async (responder) => {
      await responder.respond(answer({ final: false }), false);
      await responder.respond(answer({ final: true }), true);
    });
    for (let i = 0; i < 3; i++) {
      const exchange = openExchange(await world.client.openExchange(), request("/series"));
      let count = 0;
      for await (const _ of exchange) if (++count === 2) break;
      exchange.cancel(CLOSE_CODES.normal);
    }
    expect(world.servers).toHaveLength(1);
  });

  test("ends the connection of an exchange that is cancelled, and the server knows at once", async () => {
    await using world = await World.open(() => new Promise(() => {}));
    const exchange = openExchange(await world.client.openExchange(), request("/ringing"));
    const answers = exchange[Symbol.asyncIterator]().next();
    await until("it holds", () => world.bindings.length === 1);
    exchange.cancel(CLOSE_CODES.normal);
    await expect(answers).rejects.toMatchObject({ code: "closed" });
    await until("it holds", () => world.serversClosed.length === 1);
    expect(world.serversClosed[0]?.reason).toContain("ECONNRESET");
  });

  test("says that an exchange is lost when its connection ends without an answer, and does not ask twice", async () => {
    await using world = await World.open((responder) => {
      responder.abandon(CLOSE_CODES.normal);
      return Promise.resolve();
    });
    await expect(ask(await world.client.openExchange())).rejects.toMatchObject({ code: "connection-lost" });
    expect(world.bindings).toHaveLength(1);
    expect(world.closed).toEqual([]);
  });

  test("leaves alone what the server closed while it was kept", async () => {
    await using world = await World.open();
    expect(await ask(await world.client.openExchange())).toEqual([200]);
    world.servers[0]?.close(CLOSE_CODES.normal, "");
    await until("it holds", () => world.serversClosed.length === 1 && world.listener.sockets.size === 0);
    expect(await ask(await world.client.openExchange())).toEqual([200]);
    expect(world.servers).toHaveLength(2);
  });

  test("manages with a server that closes after each answer", async () => {
    await using world = await World.open(async (responder) => {
      await responder.respond(answer(), true);
      world.servers.at(-1)?.close(CLOSE_CODES.normal, "");
    });
    for (let i = 0; i < 10; i++) expect(await ask(await world.client.openExchange())).toEqual([200]);
    expect(world.servers).toHaveLength(10);
  });

  test("closes everything at once: what is kept, what is under way, what is being dialled", async () => {
    await using world = await World.open(() => new Promise(() => {}));
    const lost = ask(await world.client.openExchange());
    const dialling = world.client.openExchange();
    lost.catch(() => {});
    world.client.close(CLOSE_CODES.normal, "done");
    await expect(dialling).rejects.toMatchObject({ code: "closed" });
    await expect(lost).rejects.toMatchObject({ code: "closed" });
    await expect(world.client.openExchange()).rejects.toMatchObject({ code: "closed" });
    expect(world.closed).toEqual([{ code: CLOSE_CODES.normal, reason: "done" }]);
    await until("it holds", () => world.listener.sockets.size === 0);
  });

  test("opens a connection for media, bound to its own TLS connection", async () => {
    const heard: string[] = [];
    const note = (who: string) => (bytes: Uint8Array) => void heard.push(`${who} ${bytes[1]}`);
    await using listener = await World.open();
    listener.onMedia = note("server");
    let binding: Uint8Array | undefined;
    const { answer: granted, connection } = await (listener.client.media as MediaDoor).open(
      (channelBinding) => {
        binding = channelBinding;
        return Promise.resolve(request("/media"));
      },
      () => ({
        datagram: note("client"),
        stream() {},
        exchange() {},
        closed: (info) => listener.closed.push(info),
      }),
    );
    expect(granted.status).toBe(200);
    const server = listener.servers.at(-1) as Connection;
    expect(server.channelBinding).toEqual(binding);
    expect(listener.servers).toHaveLength(2);
    for (let i = 0; i < 100; i++) {
      connection?.sendDatagram(Uint8Array.of(9, i));
      server.sendDatagram(Uint8Array.of(9, i));
    }
    await until("all datagrams came", () => heard.length === 200);
    expect(connection).toMatchObject({
      carrier: "tls",
      pinned: certificate.hash,
      url: listener.listener.url,
    });
    expect(await connection?.probe(2_000)).toBeUndefined();
    connection?.close(CLOSE_CODES.normal, "done");
    await until("the server knows", () => listener.serversClosed.length === 1);
    expect(listener.serversClosed).toEqual([{ code: CLOSE_CODES.normal, reason: "done" }]);
    expect(await ask(await listener.client.openExchange())).toEqual([200]);
  });

  test("takes no other of the given certificates for a later connection than the first one showed", async () => {
    await using world = await World.open();
    const otherFolder = await mkdtemp(join(tmpdir(), "parley-other-"));
    onTestFinished(() => rm(otherFolder, { recursive: true }));
    const other = await storedCertificate({ folder: otherFolder, now: Date.now() });
    const handlers = () => ({ datagram() {}, stream() {}, exchange() {}, closed() {} });
    const certificateHashes = [certificate.hash, other.hash];
    const carrier = tlsCarrier({ clock: systemClock });
    const client = await carrier.connect(world.listener.url, { certificateHashes }, handlers);
    onTestFinished(() => client.close(CLOSE_CODES.normal, ""));
    expect(client.pinned).toEqual(certificate.hash);
    world.listener.show(other);
    const kept = await client.openExchange();
    await expect(client.openExchange()).rejects.toMatchObject({
      code: "connect-refused",
      message: /not the one that was pinned/,
    });
    expect(await ask(kept)).toEqual([200]);
    const anew = await carrier.connect(world.listener.url, { certificateHashes }, handlers);
    expect(anew.pinned).toEqual(other.hash);
    anew.close(CLOSE_CODES.normal, "");
  });

  test("refuses to go on with another certificate than the pinned one, before a byte is said", async () => {
    await using world = await World.open();
    const heard: number[] = [];
    const other = await listenTls({ clock: systemClock, certificate }, () => {
      throw new Error("unreachable");
    });
    await other.close();
    const server = createTlsServer(
      { cert: certificate.certificatePem, key: certificate.privateKeyPem, ALPNProtocols: ["agtp"] },
      (socket) => {
        socket.on("data", (data) => heard.push(data.length));
        socket.on("error", () => {});
      },
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/agtp`;
    const dial = tlsCarrier({ clock: systemClock }).connect(
      url,
      { certificateHashes: [new Uint8Array(32)] },
      () => {
        throw new Error("never");
      },
    );
    await expect(dial).rejects.toMatchObject({
      code: "connect-refused",
      message: /not the one that was pinned/,
    });
    await new Promise<void>((resolve) => server.close(() => resolve()));
    expect(heard).toEqual([]);
    expect(world.closed).toEqual([]);
  });

  test("insists on roots without hashes, and on the URL and hashes being some", async () => {
    await using world = await World.open();
    const carrier = tlsCarrier({ clock: systemClock });
    const never = () => {
      throw new Error("never");
    };
    await expect(carrier.connect(world.listener.url, {}, never)).rejects.toMatchObject({
      code: "connect-refused",
    });
    for (const url of ["http://127.0.0.1:1/agtp", "wss://127.0.0.1:1/agtp", "no url"])
      await expect(carrier.connect(url, {}, never)).rejects.toMatchObject({ code: "usage" });
    const short = { certificateHashes: [new Uint8Array(31)] };
    await expect(carrier.connect(world.listener.url, short, never)).rejects.toMatchObject({ code: "usage" });
  });

  test("says why it cannot connect: nobody there, or nobody who answers", async () => {
    const silent = createTcpServer((socket) => void socket.on("error", () => {}).resume());
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const url = `https://127.0.0.1:${(silent.address() as AddressInfo).port}/agtp`;
    const carrier = tlsCarrier({ clock: systemClock });
    const connect = { certificateHashes: [certificate.hash], connectTimeout: 50 };
    const never = () => {
      throw new Error("never");
    };
    await expect(carrier.connect(url, connect, never)).rejects.toMatchObject({ code: "connect-timeout" });
    await new Promise<void>((resolve) => silent.close(() => resolve()));
    await expect(carrier.connect(url, connect, never)).rejects.toMatchObject({ code: "connect-refused" });
  });

  test("hears a client out that ends its side behind its request, and answers one that leaves at once", async () => {
    await using world = await World.open((responder, path) =>
      responder.respond(answer({ path, filler: "x".repeat(200_000) }), true),
    );
    const { port } = world.listener;
    const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false });
    socket.allowHalfOpen = true;
    const bytes = Buffer.from(serializeRequest(request("/a")));
    socket.end(Buffer.concat([bytes, bytes, bytes.subarray(0, 10)]));
    let heard = "";
    socket.on("data", (data) => {
      heard += data.toString("latin1");
    });
    await new Promise((resolve) => socket.once("end", resolve));
    socket.destroy();
    expect(heard.split("AGTP/1.0 200 OK")).toHaveLength(3);
    expect(heard.length).toBeGreaterThan(400_000);
    await until("the server let go", () => world.serversClosed.length === 1);
    expect(world.serversClosed).toEqual([
      { code: CLOSE_CODES.normal, reason: "the peer left inside a request", isLost: true },
    ]);
  });

  test("ends who asks on and on and reads nothing, with little kept", async () => {
    const counters = createTlsCounters();
    const closed: CloseInfo[] = [];
    const waiting: number[] = [];
    const large = answer({ filler: "x".repeat(1_000_000) });
    const listener = await listenTls({ clock: hastyClock, certificate, counters }, () => ({
      datagram() {},
      stream() {},
      exchange: (stream) => {
        const sizes = [...listener.sockets].map((socket) => socket.writableLength);
        waiting.push(Math.max(...sizes));
        receiveExchange(stream)
          .then(({ responder }) => responder.respond(large, true))
          .catch(() => {});
      },
      closed: (info) => closed.push(info),
    }));
    const socket = connectTls({ port: listener.port, host: "127.0.0.1", rejectUnauthorized: false });
    socket.on("error", () => {});
    const bytes = serializeRequest(request("/large"));
    socket.once("secureConnect", () => {
      socket.pause();
      for (let i = 0; i < 200; i++) socket.write(bytes);
    });
    await until("the server had enough", () => closed.length === 1);
    expect(closed[0]?.code).toBe(CLOSE_CODES.overloaded);
    expect(counters.overloaded).toBe(1);
    expect(Math.max(...waiting)).toBeLessThanOrEqual(WRITE_PIECE_BYTES);
    await until("the socket is gone", () => listener.sockets.size === 0);
    socket.destroy();
    await listener.close();
  });

  test("is not served below TLS 1.3, nor without TLS, nor to a client that wants HTTP/2 alone", async () => {
    await using world = await World.open();
    const { port } = world.listener;
    const attempt = (options: object): Promise<string> =>
      new Promise((resolve) => {
        const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false, ...options });
        socket.once("secureConnect", () => {
          resolve("connected");
          socket.destroy();
        });
        socket.once("error", (error: Error & { code?: string }) => resolve(error.code ?? error.message));
      });
    expect(await attempt({ maxVersion: "TLSv1.2" })).toBe("ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION");
    expect(await attempt({ ALPNProtocols: ["h2"] })).toBe("ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL");
    expect(await attempt({})).toBe("connected");
    const plain = connectTcp(port, "127.0.0.1");
    let heard = "";
    plain.on("data", (data) => {
      heard += data.toString("latin1");
    });
    plain.on("error", () => {});
    plain.write("AGTP/1.0 DISCOVER /\r\n\r\n");
    await new Promise((resolve) => plain.once("close", resolve));
    expect(heard).not.toContain("AGTP");
    expect(world.bindings).toEqual([]);
  });
});
