import { type Duplex, duplexPair } from "node:stream";
import { describe, expect, test } from "vitest";
import { Headers } from "../../codecs/headers.ts";
import { type AgtpRequest, serializeResponse } from "../../codecs/message.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { CLOSE_CODES, type CloseInfo, type DuplexStream } from "../../sfu/carrier.ts";
import { VirtualClock } from "../../test/net/virtual-clock.ts";
import { openExchange } from "../exchange.ts";
import { ByteSocket } from "./byte-socket.ts";
import { LINK_IDLE_MS, MAX_IDLE_LINKS, MAX_LINKS, TlsPool } from "./pool.ts";

const REQUEST: AgtpRequest = {
  dialect: "base",
  method: "QUERY",
  path: "/a",
  query: new Map(),
  headers: new Headers(),
  body: new Uint8Array(),
};
const ANSWER = serializeResponse({
  dialect: "base",
  status: 200,
  reason: "OK",
  headers: new Headers(),
  body: new Uint8Array(),
});

/** A pool whose servers are the test. */
class Scene {
  readonly clock = new VirtualClock();
  readonly servers: Duplex[] = [];
  readonly heard: string[] = [];
  readonly closed: CloseInfo[] = [];
  readonly pool: TlsPool;

  constructor(refuse?: ParleyError) {
    this.pool = new TlsPool(
      { url: "https://parley.test:4480/agtp", pinned: undefined, choice: undefined },
      () => {
        if (refuse !== undefined) return Promise.reject(refuse);
        const [client, server] = duplexPair();
        const index = this.servers.push(server) - 1;
        this.heard.push("");
        server.on("data", (data: Buffer) => {
          this.heard[index] += data.toString("latin1");
        });
        server.on("error", () => {});
        return Promise.resolve({
          socket: new ByteSocket(client, this.clock),
          channelBinding: Uint8Array.of(index),
        });
      },
      { clock: this.clock },
    );
    this.pool.start(() => ({
      datagram() {},
      stream() {},
      exchange() {},
      closed: (info) => this.closed.push(info),
    }));
  }

  async settle(): Promise<void> {
    for (let i = 0; i < 12; i++) await this.clock.settle();
  }

  /** Asks on a stream whose server answers. */
  async ask(stream?: DuplexStream): Promise<number> {
    const on = stream ?? (await this.pool.openExchange());
    const index = on.channelBinding?.[0] as number;
    const answers = openExchange(on, REQUEST)[Symbol.asyncIterator]();
    const asked = answers.next();
    await this.settle();
    this.servers[index]?.write(ANSWER);
    await asked;
    await answers.next();
    await this.settle();
    return index;
  }
}

describe("a client's pool of TLS connections", () => {
  test("keeps a connection for as long as a server surely does, and then lets it go", async () => {
    const scene = new Scene();
    expect(await scene.ask()).toBe(0);
    await scene.clock.advance(LINK_IDLE_MS - 1);
    expect(await scene.ask()).toBe(0);
    await scene.clock.advance(LINK_IDLE_MS);
    expect(await scene.ask()).toBe(1);
    scene.pool.close(CLOSE_CODES.normal, "");
    await scene.clock.advance(LINK_IDLE_MS);
    expect(scene.clock.pending).toBe(0);
  });

  test("keeps so many, takes the one used last, and lets the one used longest ago go", async () => {
    const scene = new Scene();
    const streams = await Promise.all(
      Array.from({ length: MAX_IDLE_LINKS + 2 }, () => scene.pool.openExchange()),
    );
    for (const stream of streams) await scene.ask(stream);
    const ended = scene.servers.filter((one) => one.readableEnded);
    expect(ended).toEqual(scene.servers.slice(0, 2));
    expect(await scene.ask()).toBe(MAX_IDLE_LINKS + 1);
  });

  test("has a limit of requests under way", async () => {
    const scene = new Scene();
    const streams = await Promise.all(Array.from({ length: MAX_LINKS }, () => scene.pool.openExchange()));
    await expect(scene.pool.openExchange()).rejects.toMatchObject({ code: "capacity" });
    streams[0]?.receive.stop(CLOSE_CODES.normal);
    await scene.settle();
    expect(await scene.ask()).toBe(MAX_LINKS);
  });

  test("drops a kept connection that ended or that says something, unheard", async () => {
    for (const spoil of [
      (server: Duplex) => server.end(),
      (server: Duplex) => server.destroy(),
      (server: Duplex) => server.write(ANSWER),
    ]) {
      const scene = new Scene();
      await scene.ask();
      spoil(scene.servers[0] as Duplex);
      expect(await scene.ask()).toBe(1);
      expect(scene.closed).toEqual([]);
    }
  });

  test("does not ask again what may have been heard", async () => {
    const scene = new Scene();
    await scene.ask();
    const stream = await scene.pool.openExchange();
    const answers = openExchange(stream, REQUEST)[Symbol.asyncIterator]();
    const lost = answers.next();
    await scene.settle();
    scene.servers[0]?.destroy();
    await expect(lost).rejects.toMatchObject({ code: "connection-lost" });
    expect(scene.servers).toHaveLength(1);
    expect(scene.heard[0]?.match(/QUERY/g)).toHaveLength(2);
  });

  test("ends a connection whose server says more than it was asked", async () => {
    const scene = new Scene();
    const stream = await scene.pool.openExchange();
    const answers = openExchange(stream, REQUEST)[Symbol.asyncIterator]();
    const answer = answers.next();
    scene.servers[0]?.write(Buffer.concat([ANSWER, ANSWER]));
    expect((await answer).value).toMatchObject({ status: 200 });
    expect((await answers.next()).done).toBe(true);
    expect(await scene.ask()).toBe(1);
  });

  test("gives an answer that comes before the whole request was taken, and then ends the connection", async () => {
    const scene = new Scene();
    const stream = await scene.pool.openExchange();
    await stream.send.write(new TextEncoder().encode("AGTP/1.0 QUERY /a\r\n"));
    scene.servers[0]?.end(ANSWER);
    await scene.settle();
    expect(await stream.receive.read()).toEqual(ANSWER);
    expect(await stream.receive.read()).toBeUndefined();
    await expect(stream.send.write(Uint8Array.of(10))).rejects.toMatchObject({ code: "connection-lost" });
    expect(await scene.ask()).toBe(1);
  });

  test("passes on why there is no connection", async () => {
    const refused = new ParleyError({ code: "connect-refused", message: "nobody" });
    await expect(new Scene(refused).pool.openExchange()).rejects.toBe(refused);
  });

  test("has no media on its own connections", async () => {
    const { pool } = new Scene();
    expect(pool.sendDatagram(new Uint8Array(1))).toBe("closed");
    await expect(pool.openStream()).rejects.toMatchObject({ code: "usage" });
    await expect(pool.probe(1)).rejects.toMatchObject({ code: "usage" });
  });
});
