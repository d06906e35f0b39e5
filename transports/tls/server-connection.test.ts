import { type Duplex, duplexPair } from "node:stream";
import { describe, expect, test } from "vitest";
import { Headers } from "../../codecs/headers.ts";
import {
  type AgtpRequest,
  type AgtpResponse,
  MAX_HEADER_BLOCK_BYTES,
  serializeRequest,
  serializeResponse,
} from "../../codecs/message.ts";
import { MessageReader } from "../../codecs/message-reader.ts";
import { CLOSE_CODES, type CloseInfo, type DuplexStream } from "../../sfu/carrier.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { VirtualClock } from "../../test/net/virtual-clock.ts";
import { type ReceivedExchange, receiveExchange } from "../exchange.ts";
import {
  CLOSE_DROP_BYTES,
  CLOSE_TIMEOUT_MS,
  ENDED_STALL_MS,
  WRITE_PIECE_BYTES,
  WRITE_STALL_MS,
} from "./byte-socket.ts";
import { createTlsCounters } from "./counters.ts";
import { IDLE_TIMEOUT, MAX_PIPELINED_BYTES, TlsServerConnection } from "./server-connection.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);

function request(path: string, body = "{}"): AgtpRequest {
  const headers = new Headers([["Request-ID", path.slice(1)]]);
  return { dialect: "base", method: "QUERY", path, query: new Map(), headers, body: utf8(body) };
}

function answer(to: string, body = "{}"): AgtpResponse {
  return {
    dialect: "base",
    status: 200,
    reason: "OK",
    headers: new Headers([["Request-ID", to]]),
    body: utf8(body),
  };
}

/** A server's connection on virtual time; its client is the test. */
class Scene {
  readonly clock = new VirtualClock();
  readonly counters = createTlsCounters();
  readonly client: Duplex;
  readonly server: Duplex;
  readonly connection: TlsServerConnection;
  readonly exchanges: DuplexStream[] = [];
  readonly received: ReceivedExchange[] = [];
  readonly closed: CloseInfo[] = [];
  readonly answers: AgtpResponse[] = [];
  readonly #reader = new MessageReader("response");
  bytes = 0;
  isEnded = false;

  constructor(
    options: {
      readonly reads?: boolean;
      readonly idleTimeout?: () => number;
      readonly head?: Uint8Array;
      readonly answersAtOnce?: boolean;
    } = {},
  ) {
    [this.client, this.server] = duplexPair({ highWaterMark: 16 * 1024 });
    this.client.allowHalfOpen = true;
    if (options.reads !== false)
      this.client.on("data", (data: Buffer) => {
        this.bytes += data.length;
        this.#reader.push(data);
        for (let one = this.#reader.next(); one !== undefined; one = this.#reader.next())
          this.answers.push(one);
      });
    this.client.on("end", () => {
      this.isEnded = true;
    });
    this.client.on("error", () => {});
    this.connection = new TlsServerConnection(
      this.server,
      { url: "https://parley.test:4480/agtp" },
      { channelBinding: new Uint8Array(32).fill(7), peerKey: undefined, peerCertificates: [] },
      {
        clock: this.clock,
        counters: this.counters,
        ...(options.idleTimeout && { idleTimeout: options.idleTimeout }),
      },
    );
    this.connection.start(
      () => ({
        datagram() {},
        stream() {},
        exchange: (stream) => {
          this.exchanges.push(stream);
          void receiveExchange(stream).then(
            (received) => {
              this.received.push(received);
              if (options.answersAtOnce === true) void this.answer(this.received.length - 1);
            },
            () => {},
          );
        },
        closed: (info) => this.closed.push(info),
      }),
      options.head,
    );
  }

  get paths(): (string | undefined)[] {
    return this.received.map((one) => one.request?.path);
  }

  get answered(): (string | undefined)[] {
    return this.answers.map((one) => one.headers.get("Request-ID"));
  }

  async settle(): Promise<void> {
    for (let i = 0; i < 12; i++) await this.clock.settle();
  }

  async say(...requests: AgtpRequest[]): Promise<void> {
    this.client.write(Buffer.concat(requests.map(serializeRequest)));
    await this.settle();
  }

  async answer(index: number, body?: string): Promise<void> {
    const one = this.received[index] as ReceivedExchange;
    await one.responder.respond(answer(one.request?.path.slice(1) ?? "none", body), true).catch(() => {});
    await this.settle();
  }

  /** Nothing is left behind once a connection is over. */
  async expectReleased(): Promise<void> {
    await this.clock.advance(CLOSE_TIMEOUT_MS);
    await this.settle();
    expect(this.server.destroyed).toBe(true);
    expect(this.clock.pending).toBe(0);
    expect(this.closed).toHaveLength(1);
  }
}

describe("the server's end of a TLS connection", () => {
  test("hands out one request after the other and answers them in their order", async () => {
    const scene = new Scene();
    await scene.say(request("/a"), request("/b"), request("/c"));
    expect(scene.paths).toEqual(["/a"]);
    await scene.answer(0);
    expect(scene.paths).toEqual(["/a", "/b"]);
    await scene.answer(1);
    await scene.answer(2);
    expect(scene.answered).toEqual(["a", "b", "c"]);
    scene.connection.close(CLOSE_CODES.normal, "");
    await scene.expectReleased();
  });

  test("takes a request however it is cut", async () => {
    const bytes = serializeRequest(request("/cut", '{"method":"QUERY"}'));
    for (let at = 1; at < bytes.length; at++) {
      const scene = new Scene({ answersAtOnce: true });
      scene.client.write(bytes.subarray(0, at));
      await scene.settle();
      scene.client.write(Buffer.concat([bytes.subarray(at), bytes.subarray(0, at)]));
      await scene.settle();
      scene.client.write(bytes.subarray(at));
      await scene.settle();
      expect(scene.answered).toEqual(["cut", "cut"]);
    }
  });

  test("takes pipelined requests that come byte by byte", async () => {
    const scene = new Scene({ answersAtOnce: true });
    const bytes = Buffer.concat(["/a", "/b", "/c"].map((path) => serializeRequest(request(path))));
    for (const byte of bytes) scene.client.write(Uint8Array.of(byte));
    await scene.settle();
    expect(scene.answered).toEqual(["a", "b", "c"]);
  });

  test("goes on from what was read before it was made", async () => {
    const scene = new Scene({ head: serializeRequest(request("/head")), answersAtOnce: true });
    await scene.settle();
    await scene.say(request("/next"));
    expect(scene.answered).toEqual(["head", "next"]);
  });

  test("writes a series of answers before the next request is looked at", async () => {
    const scene = new Scene();
    await scene.say(request("/series"), request("/next"));
    const { responder } = scene.received[0] as ReceivedExchange;
    for (let i = 0; i < 3; i++) await responder.respond(answer(`part-${i}`), i === 2);
    await scene.settle();
    expect(scene.answered).toEqual(["part-0", "part-1", "part-2"]);
    expect(scene.paths).toEqual(["/series", "/next"]);
  });

  test("lets only so many bytes of pipelined requests wait", async () => {
    const scene = new Scene();
    const filler = request("/filler", JSON.stringify({ text: "x".repeat(16_000) }));
    await scene.say(request("/first"));
    let taken = 0;
    const bytes = serializeRequest(filler);
    for (let i = 0; i < 40; i++) scene.client.write(bytes, (error) => error ?? taken++);
    await scene.settle();
    const most = MAX_PIPELINED_BYTES + 4 * 16 * 1024;
    expect(taken * bytes.length).toBeLessThan(most);
    expect(scene.paths).toEqual(["/first"]);
    for (let i = 0; i < 41; i++) await scene.answer(i);
    expect(scene.answers).toHaveLength(41);
    expect(taken).toBe(40);
  });

  test("answers a request that a FIN follows, and then ends", async () => {
    const scene = new Scene();
    scene.client.end(Buffer.concat([serializeRequest(request("/a")), serializeRequest(request("/b"))]));
    await scene.settle();
    expect(scene.closed).toEqual([]);
    await scene.answer(0);
    await scene.answer(1);
    expect(scene.answered).toEqual(["a", "b"]);
    expect(scene.isEnded).toBe(true);
    expect(scene.closed).toEqual([{ code: CLOSE_CODES.normal, reason: "the peer is done" }]);
    await scene.expectReleased();
  });

  test("takes the FIN of a client that is told of its inbox as leaving, once it had an answer", async () => {
    const subscription = serializeRequest({ ...request("/inbox"), method: "SUBSCRIBE" });
    for (const isDoneAtOnce of [false, true]) {
      const scene = new Scene();
      scene.client.write(subscription);
      if (isDoneAtOnce) scene.client.end();
      await scene.settle();
      const { responder } = scene.received[0] as ReceivedExchange;
      await responder.respond(answer("subscribed"), false);
      await scene.settle();
      scene.client.end();
      await scene.settle();
      expect(scene.answered).toEqual(["subscribed"]);
      const reason = "the peer left while it was being told";
      expect(scene.closed).toEqual([{ code: CLOSE_CODES.normal, reason, isLost: true }]);
      await expect(responder.respond(answer("beat"), false)).rejects.toMatchObject({
        code: "connection-lost",
      });
      await scene.expectReleased();
    }
  });

  test("answers in full what a FIN follows: a refused subscription, and every part of another series", async () => {
    const refused = new Scene();
    refused.client.end(serializeRequest({ ...request("/inbox"), method: "SUBSCRIBE" }));
    await refused.settle();
    await refused.answer(0);
    expect(refused.answered).toEqual(["inbox"]);
    expect(refused.closed).toEqual([{ code: CLOSE_CODES.normal, reason: "the peer is done" }]);
    await refused.expectReleased();
    const rings = new Scene();
    rings.client.end(serializeRequest({ ...request("/sessions"), method: "ESTABLISH" }));
    await rings.settle();
    const { responder } = rings.received[0] as ReceivedExchange;
    await responder.respond(answer("ringing"), false);
    await rings.clock.advance(30_000);
    await responder.respond(answer("up"), true);
    await rings.settle();
    expect(rings.answered).toEqual(["ringing", "up"]);
    await rings.expectReleased();
  });

  test("is over as soon as it becomes one for media of a client that ended its side before", async () => {
    const scene = new Scene();
    scene.client.end(serializeRequest({ ...request("/media"), method: "OPEN" }));
    await scene.settle();
    scene.connection.beginMedia();
    await scene.answer(0);
    expect(scene.answered).toEqual(["media"]);
    const reason = "the peer left without a word";
    expect(scene.closed).toEqual([{ code: CLOSE_CODES.normal, reason, isLost: true }]);
    await scene.expectReleased();
  });

  test("drops a request that a FIN cuts short, be it the first or one that waited", async () => {
    for (const before of [[], [request("/whole")]]) {
      const scene = new Scene({ answersAtOnce: true });
      const cut = serializeRequest(request("/cut")).subarray(0, -1);
      scene.client.end(Buffer.concat([...before.map(serializeRequest), cut]));
      await scene.settle();
      expect(scene.answered).toEqual(before.map(() => "whole"));
      expect(scene.counters).toMatchObject({ cutShort: 1, malformed: 0 });
      await scene.expectReleased();
    }
  });

  test("ends when the client leaves between requests, with nothing asked", async () => {
    const scene = new Scene();
    scene.client.end();
    await scene.settle();
    expect(scene.closed).toEqual([{ code: CLOSE_CODES.normal, reason: "the peer is done" }]);
    expect(scene.exchanges).toEqual([]);
    await scene.expectReleased();
  });

  test("answers what is malformed once, then closes, whatever follows", async () => {
    const coded = "AGTP/1.0 DESCRIBE /\r\nTransfer-Encoding: chunked\r\n\r\nAGTP/1.0 QUERY /smuggled\r\n\r\n";
    const malformed = "AGTP/1.0 QUERY /a\r\nno colon\r\n\r\n";
    for (const bad of ["GET / HTTP/1.1\r\n\r\n", malformed, "\r\n", "\0\0\n", coded]) {
      const scene = new Scene();
      scene.client.write(bad);
      scene.client.write(serializeRequest(request("/behind")));
      await scene.settle();
      expect(scene.received).toHaveLength(1);
      expect(scene.received[0]?.fault).toBeDefined();
      await scene.answer(0);
      expect(scene.answered).toEqual(["none"]);
      expect(scene.isEnded).toBe(true);
      expect(scene.closed[0]?.code).toBe(CLOSE_CODES.protocolViolation);
      expect(scene.counters).toMatchObject({ malformed: 1 });
      await scene.expectReleased();
    }
  });

  test("refuses a header block that never ends, and reads little of what follows", async () => {
    const scene = new Scene();
    scene.client.write(`AGTP/1.0 QUERY /a\r\nLong: ${"x".repeat(MAX_HEADER_BLOCK_BYTES)}`);
    await scene.settle();
    expect(scene.received[0]?.fault?.code).toBe("header-too-large");
    let taken = 0;
    const piece = Buffer.alloc(16 * 1024);
    for (let i = 0; i < 256; i++) scene.client.write(piece, (error) => error ?? taken++);
    for (let i = 0; i < 20; i++) await scene.settle();
    expect(taken).toBeLessThanOrEqual(2);
    await scene.answer(0);
    expect(scene.closed[0]?.code).toBe(CLOSE_CODES.protocolViolation);
    for (let i = 0; i < 20; i++) await scene.settle();
    // What is under way: a buffer at either end.
    expect(taken).toBeGreaterThanOrEqual(CLOSE_DROP_BYTES / piece.length);
    expect(taken).toBeLessThanOrEqual(CLOSE_DROP_BYTES / piece.length + 3);
    expect(scene.answers).toHaveLength(1);
    await scene.expectReleased();
  });

  test("closes after the answer to a request that its reader gave up", async () => {
    const scene = new Scene();
    scene.client.write("AGTP/1.0 QUERY /slow\r\n");
    await scene.settle();
    const exchange = scene.exchanges[0] as DuplexStream;
    exchange.receive.stop(CLOSE_CODES.livenessTimeout);
    await exchange.send.write(serializeResponse(answer("late")));
    await exchange.send.finish();
    await scene.settle();
    expect(scene.answered).toEqual(["late"]);
    expect(scene.closed[0]?.code).toBe(CLOSE_CODES.protocolViolation);
    await scene.expectReleased();
  });

  test("is destroyed when an exchange is broken off", async () => {
    const scene = new Scene();
    await scene.say(request("/a"), request("/b"));
    scene.received[0]?.responder.abandon(CLOSE_CODES.normal);
    await scene.settle();
    expect(scene.server.destroyed).toBe(true);
    expect(scene.answers).toEqual([]);
    expect(scene.counters).toMatchObject({ brokenOff: 1 });
    await scene.expectReleased();
  });

  test("closes what asks nothing for too long, and sooner under pressure", async () => {
    const patient = new Scene({ answersAtOnce: true });
    await patient.clock.advance(IDLE_TIMEOUT - 1);
    await patient.say(request("/a"));
    await patient.clock.advance(IDLE_TIMEOUT - 1);
    expect(patient.closed).toEqual([]);
    await patient.clock.advance(1);
    expect(patient.closed).toEqual([{ code: CLOSE_CODES.normal, reason: "no request for too long" }]);
    expect(patient.counters.idle).toBe(1);
    await patient.expectReleased();
    let limit = IDLE_TIMEOUT;
    const pressed = new Scene({ idleTimeout: () => limit });
    await pressed.clock.advance(20_000);
    limit = 10_000;
    await pressed.clock.advance(5_000);
    expect(pressed.closed).toHaveLength(1);
    await pressed.expectReleased();
  });

  test("is not idle while a request is being answered", async () => {
    const scene = new Scene();
    await scene.say(request("/ringing"));
    await scene.clock.advance(10 * IDLE_TIMEOUT);
    expect(scene.closed).toEqual([]);
    await scene.answer(0);
    await scene.clock.advance(IDLE_TIMEOUT);
    expect(scene.closed).toHaveLength(1);
    await scene.expectReleased();
  });

  test("closes who does not read an answer, keeping little of it", async () => {
    const scene = new Scene({ reads: false });
    await scene.say(request("/a"));
    const large = scene.answer(0, JSON.stringify({ text: "x".repeat(900_000) }));
    await scene.settle();
    expect(scene.server.writableLength).toBeLessThanOrEqual(WRITE_PIECE_BYTES);
    await scene.clock.advance(WRITE_STALL_MS);
    await large;
    expect(scene.closed[0]?.code).toBe(CLOSE_CODES.overloaded);
    expect(scene.counters.overloaded).toBe(1);
    await scene.expectReleased();
  });

  test("waits less for a client that ended its side, and for none that reads", async () => {
    const scene = new Scene({ reads: false });
    scene.client.write(serializeRequest(request("/a")));
    await scene.settle();
    const large = scene.answer(0, JSON.stringify({ text: "x".repeat(200_000) }));
    await scene.clock.advance(ENDED_STALL_MS);
    scene.client.end();
    await scene.clock.advance(ENDED_STALL_MS - 1);
    expect(scene.closed).toEqual([]);
    await scene.clock.advance(1);
    await large;
    expect(scene.closed[0]?.code).toBe(CLOSE_CODES.overloaded);
    await scene.expectReleased();
    const reading = new Scene();
    reading.client.end(serializeRequest(request("/a")));
    await reading.settle();
    await reading.clock.advance(2 * WRITE_STALL_MS);
    await reading.answer(0, JSON.stringify({ text: "x".repeat(200_000) }));
    expect(reading.answered).toEqual(["a"]);
    await reading.expectReleased();
  });

  test("is over when the socket breaks, also in the middle of an exchange", async () => {
    const scene = new Scene();
    await scene.say(request("/a"));
    scene.server.destroy(new Error("reset"));
    await scene.settle();
    expect(scene.closed).toEqual([
      { code: CLOSE_CODES.normal, reason: "the connection broke: reset", isLost: true },
    ]);
    const late = (scene.received[0] as ReceivedExchange).responder.respond(answer("a"), true);
    await expect(late).rejects.toMatchObject({ code: "connection-lost" });
    await scene.expectReleased();
  });

  test("keeps the order and leaves nothing behind, whatever a client and its answers do", async () => {
    const endings = ["fin", "cut", "destroy", "abandon", "malformed", "close"] as const;
    for (let seed = 1; seed <= 150; seed++) {
      const random = new SeededRandom(seed);
      const scene = new Scene();
      const asked = Array.from({ length: random.integer(8) }, (_, index) => `r${index}`);
      const bytes = Buffer.concat(
        asked.map((path) => serializeRequest(request(`/${path}`, "x".repeat(random.integer(3_000))))),
      );
      const ending = endings[seed % endings.length];
      for (let at = 0; at < bytes.length; ) {
        const length = 1 + random.integer(random.integer(2) === 0 ? 8 : 6_000);
        scene.client.write(bytes.subarray(at, at + length));
        at += length;
        if (random.integer(3) === 0) await scene.clock.settle();
        const last = scene.received.length - 1;
        if (last >= scene.answers.length && random.integer(2) === 0) await scene.answer(last);
        expect(scene.exchanges.length).toBeLessThanOrEqual(scene.answers.length + 1);
      }
      if (ending === "malformed") scene.client.write("no request\n");
      if (ending === "cut") scene.client.end("AGTP/1.0 QUERY /cut\r\n");
      if (ending === "fin") scene.client.end();
      await scene.settle();
      if (ending === "destroy") scene.server.destroy();
      if (ending === "close") scene.connection.close(CLOSE_CODES.shutdown, "");
      if (ending === "abandon") scene.received.at(-1)?.responder.abandon(CLOSE_CODES.normal);
      for (let next = scene.answers.length; next < scene.received.length; next++) await scene.answer(next);
      const whole = scene.answered.filter((one) => one !== "none");
      expect(whole).toEqual(asked.slice(0, whole.length));
      if (ending === "fin" || ending === "cut" || ending === "malformed") expect(whole).toEqual(asked);
      scene.connection.close(CLOSE_CODES.normal, "");
      await scene.expectReleased();
    }
  });

  test("has neither datagrams nor streams, and opens no exchanges", async () => {
    const { connection } = new Scene();
    expect(connection.sendDatagram(new Uint8Array(10))).toBe("closed");
    await expect(connection.openStream()).rejects.toMatchObject({ code: "usage" });
    await expect(connection.openExchange()).rejects.toMatchObject({ code: "usage" });
    expect(connection.channelBinding).toEqual(new Uint8Array(32).fill(7));
  });
});
