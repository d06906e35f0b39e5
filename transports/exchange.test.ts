import { describe, expect, it } from "vitest";
import { Headers } from "../codecs/headers.ts";
import {
  type AgtpRequest,
  type AgtpResponse,
  MAX_REQUEST_BODY_BYTES,
  serializeRequest,
  serializeResponse,
} from "../codecs/message.ts";
import type { ConnectionHandlers, DuplexStream } from "../sfu/carrier.ts";
import { VirtualClock } from "../test/net/virtual-clock.ts";
import { MAX_WAITING_ANSWER_BYTES, openExchange, receiveExchange } from "./exchange.ts";
import { memoryPair } from "./memory.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const REQUEST: AgtpRequest = {
  dialect: "seed",
  method: "QUERY",
  path: "/clock",
  query: new Map(),
  headers: new Headers([["Agent-ID", "a"]]),
  body: utf8('{"t0":1}'),
};
const answer = (status: number, body: Uint8Array = utf8("{}")): AgtpResponse => ({
  dialect: "seed",
  status,
  reason: "",
  headers: new Headers([["Server-ID", "s"]]),
  body,
});

/** Both ends of one exchange over an in-memory connection. The server's end exists once the client wrote something. */
async function exchangePair(): Promise<{ client: DuplexStream; server: Promise<DuplexStream> }> {
  const ignore: ConnectionHandlers = { datagram() {}, stream() {}, exchange() {}, closed() {} };
  const { promise: server, resolve } = Promise.withResolvers<DuplexStream>();
  const options = { clock: new VirtualClock(), liveness: false } as const;
  const pair = memoryPair(
    options,
    () => ignore,
    () => ({ ...ignore, exchange: resolve }),
  );
  return { client: await pair.client.openExchange(), server };
}

async function statuses(answers: AsyncIterable<AgtpResponse>): Promise<number[]> {
  const list: number[] = [];
  for await (const one of answers) {
    list.push(one.status);
  }
  return list;
}

describe("an exchange", () => {
  it("carries a request and its one answer", async () => {
    const { client, server } = await exchangePair();
    const exchange = openExchange(client, REQUEST);
    const received = await receiveExchange(await server);
    expect(received.request).toMatchObject({ dialect: "seed", method: "QUERY", path: "/clock" });
    expect(received.request?.body).toEqual(REQUEST.body);
    await received.responder.respond(answer(200, utf8('{"t1":2}')), true);
    const list: AgtpResponse[] = [];
    for await (const one of exchange) {
      list.push(one);
    }
    expect(list).toHaveLength(1);
    expect(list[0]).toMatchObject({ status: 200, dialect: "seed", body: utf8('{"t1":2}') });
  });

  it("carries a series in the order it was given, without waiting for each", async () => {
    const { client, server } = await exchangePair();
    const answers = statuses(openExchange(client, REQUEST));
    const { responder } = await receiveExchange(await server);
    const sent = Array.from({ length: 300 }, (_, index) =>
      responder.respond(answer(300 + (index % 50), new Uint8Array(5000)), index === 299),
    );
    expect(await answers).toEqual(sent.map((_, index) => 300 + (index % 50)));
    await Promise.all(sent);
  });

  it("reads the request whole when it comes in pieces, and nothing behind it", async () => {
    const { client, server } = await exchangePair();
    const bytes = serializeRequest(REQUEST);
    for (const byte of [...bytes, ...utf8("QUERY / HTTP/AGTP/1.0\r\n\r\n")]) {
      await client.send.write(new Uint8Array([byte]));
    }
    const received = await receiveExchange(await server);
    expect(received.request?.body).toEqual(REQUEST.body);
  });

  it.each([
    ["junk", "GET / HTTP/1.1\r\n\r\n", "version-unsupported", "base"],
    ["a fault in the seed dialect", "QUERY /#a HTTP/AGTP/1.0\r\n\r\n", "invalid-request-line", "seed"],
    ["a body cut short", "QUERY / HTTP/AGTP/1.0\r\nContent-Length: 3\r\n\r\n{", "message-malformed", "seed"],
    ["nothing", "", "message-malformed", "base"],
  ])("tells %s by name and dialect, and can be answered all the same", async (_, text, code, dialect) => {
    const { client, server } = await exchangePair();
    await client.send.write(utf8(text));
    await client.send.finish();
    const received = await receiveExchange(await server);
    expect(received).toMatchObject({ fault: { code }, dialect });
    await received.responder.respond(answer(400), true);
    expect(await client.receive.read()).toEqual(serializeResponse(answer(400)));
    expect(await client.receive.read()).toBeUndefined();
  });

  it("gives the answer of a server that refuses before it took the whole request", async () => {
    const { client, server } = await exchangePair();
    const large = { ...REQUEST, body: new Uint8Array(MAX_REQUEST_BODY_BYTES) };
    const exchange = openExchange(client, large);
    const stream = await server;
    await stream.receive.read();
    stream.receive.stop(1);
    await stream.send.write(serializeResponse(answer(429)));
    await stream.send.finish();
    expect(await statuses(exchange)).toEqual([429]);
  });
});

describe("the client's side", () => {
  it("refuses a request that cannot be written, at once", async () => {
    const { client } = await exchangePair();
    expect(() => openExchange(client, { ...REQUEST, path: "clock" })).toThrow(
      expect.objectContaining({ code: "invalid-request-line" }),
    );
  });

  it("throws when the stream ends without an answer, inside one, or is reset", async () => {
    const cases: [(stream: DuplexStream) => Promise<void>, string][] = [
      [(stream) => stream.send.finish(), "connection-lost"],
      [
        async (stream) => {
          await stream.send.write(serializeResponse(answer(200)).subarray(0, 40));
          await stream.send.finish();
        },
        "message-malformed",
      ],
      [async (stream) => stream.send.reset(9), "connection-lost"],
    ];
    for (const [spoil, code] of cases) {
      const { client, server } = await exchangePair();
      const answers = statuses(openExchange(client, REQUEST));
      await Promise.all([spoil(await server), expect(answers).rejects.toMatchObject({ code })]);
    }
  });

  it("throws the fault of a malformed answer after the answers before it", async () => {
    const { client, server } = await exchangePair();
    const exchange = openExchange(client, REQUEST);
    const stream = await server;
    await stream.send.write(new Uint8Array([...serializeResponse(answer(202)), ...utf8("rubbish\r\n")]));
    const answers = exchange[Symbol.asyncIterator]();
    expect(await answers.next()).toMatchObject({ value: { status: 202 } });
    await expect(answers.next()).rejects.toMatchObject({ code: "message-malformed", at: "line 1" });
    await expect(stream.send.write(utf8("more"))).rejects.toMatchObject({ code: "connection-lost" });
  });

  it("stops the stream when the loop is left early", async () => {
    const { client, server } = await exchangePair();
    const exchange = openExchange(client, REQUEST);
    const { responder } = await receiveExchange(await server);
    await responder.respond(answer(202), false);
    for await (const one of exchange) {
      expect(one.status).toBe(202);
      break;
    }
    await expect(responder.respond(answer(200), true)).rejects.toMatchObject({ code: "connection-lost" });
  });

  it("ends a pending read on cancel, which may come twice", async () => {
    const { client, server } = await exchangePair();
    const exchange = openExchange(client, REQUEST);
    const { responder } = await receiveExchange(await server);
    const answers = statuses(exchange);
    exchange.cancel(7);
    exchange.cancel(7);
    await expect(answers).rejects.toMatchObject({ code: "closed" });
    await expect(responder.respond(answer(200), true)).rejects.toMatchObject({ details: { stream_code: 7 } });
  });

  it("gives its answers once", async () => {
    const { client, server } = await exchangePair();
    const exchange = openExchange(client, REQUEST);
    const { responder } = await receiveExchange(await server);
    await responder.respond(answer(200), true);
    expect(await statuses(exchange)).toEqual([200]);
    await expect(statuses(exchange)).rejects.toMatchObject({ code: "closed" });
  });
});

describe("the server's side", () => {
  it("takes no answer after the final one", async () => {
    const { client, server } = await exchangePair();
    const answers = statuses(openExchange(client, REQUEST));
    const { responder } = await receiveExchange(await server);
    const final = responder.respond(answer(200), true);
    await expect(responder.respond(answer(200), false)).rejects.toMatchObject({ code: "closed" });
    await final;
    responder.abandon(1);
    expect(await answers).toEqual([200]);
  });

  it("stays open when an answer cannot be written", async () => {
    const { client, server } = await exchangePair();
    const answers = statuses(openExchange(client, REQUEST));
    const { responder } = await receiveExchange(await server);
    await expect(responder.respond(answer(20), true)).rejects.toMatchObject({ code: "message-malformed" });
    await responder.respond(answer(200), true);
    expect(await answers).toEqual([200]);
  });

  it("holds a bounded number of octets for a peer that does not read, and can break off", async () => {
    const { client, server } = await exchangePair();
    const exchange = openExchange(client, REQUEST);
    const { responder } = await receiveExchange(await server);
    const large = answer(200, new Uint8Array(1024 * 1024));
    const fitting = Math.floor(MAX_WAITING_ANSWER_BYTES / serializeResponse(large).length);
    const waiting = Array.from({ length: fitting }, () => responder.respond(large, false));
    const outcomes = Promise.allSettled(waiting);
    await expect(responder.respond(large, false)).rejects.toMatchObject({ code: "capacity" });
    responder.abandon(3);
    responder.abandon(3);
    expect((await outcomes).every((outcome) => outcome.status === "rejected")).toBe(true);
    await expect(statuses(exchange)).rejects.toMatchObject({ code: "connection-lost" });
    await expect(responder.respond(answer(200), true)).rejects.toMatchObject({ code: "closed" });
  });

  it("rejects when the stream breaks before the request is whole", async () => {
    const { client, server } = await exchangePair();
    await client.send.write(utf8("QUERY /clock"));
    const received = receiveExchange(await server);
    client.send.reset(5);
    await expect(received).rejects.toMatchObject({ code: "connection-lost" });
  });

  it("ends the wait for a slow request when the stream is stopped", async () => {
    const { client, server } = await exchangePair();
    await client.send.write(utf8("QUERY /clock"));
    const stream = await server;
    const received = receiveExchange(stream);
    stream.receive.stop(1);
    await expect(received).rejects.toMatchObject({ code: "closed" });
  });
});
