import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { get } from "node:https";
import { connect as connectTcp, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";
import type { Clock } from "../../codecs/clock.ts";
import { systemClock } from "../../platform/node/clock.ts";
import { MemoryRates } from "../../signaling/shared-state.ts";
import { VirtualClock } from "../../test/net/virtual-clock.ts";
import { until } from "../../test/waiting.ts";
import { type ServerCertificate, storedCertificate } from "../../transports/webtransport/certificate.ts";
import { AddressBook, DEFAULT_ADDRESS_LIMITS } from "../http/address-limits.ts";
import { openSite, type Site } from "../http/site.ts";
import { FIRST_LINE_MS, MAX_FIRST_LINE_BYTES } from "./first-line.ts";
import { originsOf } from "./origins.ts";
import { type AgtpArrival, DEFAULT_TLS_LIMITS, HANDSHAKE_MS, type TlsLimits } from "./tls-door.ts";

const REQUEST = "AGTP/1.0 DISCOVER /\r\n\r\n";
let folder: string;
let certificate: ServerCertificate;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "parley-door-"));
  certificate = await storedCertificate({ folder, now: Date.now() });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Scene {
  readonly site: Site;
  readonly port: number;
  readonly arrivals: AgtpArrival[];
  unready: string | undefined;
}

/** A site whose AGTP side says back `agtp:` and what it was told, until its client ends, and then a last word. */
async function scene(
  options: {
    readonly limits?: Partial<TlsLimits>;
    readonly clock?: Clock;
    readonly handshakes?: number;
  } = {},
): Promise<Scene> {
  const told: { unready: string | undefined } = { unready: undefined };
  const arrivals: AgtpArrival[] = [];
  const clock = options.clock ?? systemClock;
  const { handshakes } = options;
  const site = await openSite({
    host: "127.0.0.1",
    port: 0,
    setting: "tcpPort",
    origins: (address) => originsOf(address),
    pageOrigins: () => [],
    maxSockets: 9,
    unready: () => told.unready,
    accept: () => {},
    addresses: new AddressBook({
      rates: new MemoryRates(),
      limits: { ...DEFAULT_ADDRESS_LIMITS, ...(handshakes === undefined ? {} : { handshakes }) },
      clock,
      exempt: () => handshakes === undefined,
    }),
    watch: {
      agentId: "ab",
      unready: () => told.unready,
      metrics: async () => ({ type: "", text: "" }),
      eventsToken: () => "",
      events: () => undefined,
      everywhere: false,
    },
    tls: {
      certificate,
      clientCertificates: "off",
      clock,
      limits: { ...DEFAULT_TLS_LIMITS, ...options.limits },
      agtp: (socket, arrival) => {
        arrivals.push(arrival);
        socket.write("agtp:");
        if (arrival.head !== undefined) socket.write(arrival.head);
        socket.on("data", (bytes) => socket.write(bytes));
        // Later than an end that takes the other end with it.
        socket.on("end", () => setTimeout(() => socket.end("!"), 20));
      },
    },
  });
  onTestFinished(() => site.close());
  return Object.assign(told, { site, port: Number(new URL(`https://${site.address}`).port), arrivals });
}

async function dial(
  port: number,
  options: ConnectionOptions & { readonly allowHalfOpen?: boolean } = {},
): Promise<TLSSocket> {
  const socket = connectTls({ host: "127.0.0.1", port, ca: [certificate.certificatePem], ...options });
  onTestFinished(() => void socket.destroy());
  await once(socket, "secureConnect");
  return socket;
}

/** A client that connects and then says nothing. */
async function stall(port: number, localAddress = "127.0.0.1"): Promise<Socket> {
  const socket = connectTcp({ port, host: "127.0.0.1", localAddress });
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

function reading(socket: Socket): { readonly said: () => string; readonly over: Promise<unknown> } {
  let said = "";
  socket.on("data", (part) => (said += part));
  // A connection that was dropped may be reset.
  socket.on("error", () => {});
  return { said: () => said, over: new Promise((resolve) => socket.on("close", resolve)) };
}

function health(port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get(
      { host: "127.0.0.1", port, path: "/healthz", ca: [certificate.certificatePem], agent: false },
      (response) => {
        response.resume();
        response.on("end", () => resolve(response.statusCode));
      },
    ).on("error", reject);
  });
}

describe("one port leads", () => {
  it("by ALPN: agtp to AGTP, http/1.1 to HTTP and WebSocket, agtp where a client has both", async () => {
    const { port, site, arrivals } = await scene();
    const agtp = await dial(port, { ALPNProtocols: ["http/1.1", "agtp"] });
    expect([agtp.getProtocol(), agtp.alpnProtocol]).toEqual(["TLSv1.3", "agtp"]);
    const heard = reading(agtp);
    // ALPN decided: the line is not looked at.
    agtp.write("GET / HTTP/1.1\r\n\r\n");
    await until("the echo", () => heard.said() === "agtp:GET / HTTP/1.1\r\n\r\n");
    expect(arrivals[0]?.head).toBeUndefined();

    const http = await dial(port, { ALPNProtocols: ["h2", "http/1.1"] });
    expect(http.alpnProtocol).toBe("http/1.1");
    const answer = reading(http);
    http.write(REQUEST);
    await answer.over;
    expect(answer.said()).toMatch(/^HTTP\/1\.1 400 /);

    const socket = new WebSocket(`wss://${site.address}/agtp`, { ca: certificate.certificatePem });
    onTestFinished(() => socket.terminate());
    await once(socket, "open");
    expect(await health(port)).toBe(200);
  });

  it.each([["h2"], ["acme-tls/1", "spdy/3"]])("nobody who offers only %s", async (...offered) => {
    const { port, site } = await scene();
    await expect(dial(port, { ALPNProtocols: offered })).rejects.toThrow(
      /no.application.protocol|alert number 120/i,
    );
    expect(site.refused).toMatchObject({ alpn: 1 });
  });

  it.each([
    ["base", REQUEST],
    ["seed", "ESTABLISH /sessions HTTP/AGTP/1.0\r\nSession-Intent: communication\r\n\r\n"],
    ["no protocol's", "\r\nGET / HTTP/1.1\r\n\r\n"],
    ["with a bare line feed", "AGTP/1.0 QUERY\nGET / HTTP/1.1\r\n"],
  ])("without ALPN to AGTP, whatever its first line was split into: %s", async (_name, request) => {
    const { port } = await scene();
    for (let at = 1; at < request.indexOf("\n") + 2; at += 1) {
      const socket = await dial(port);
      const heard = reading(socket);
      await send(socket, request.slice(0, at));
      socket.write(request.slice(at));
      await until(`the echo of a line split at ${at}`, () => heard.said() === `agtp:${request}`);
      socket.destroy();
    }
  });

  it("without ALPN to HTTP, whatever its request was split into", async () => {
    const { port } = await scene();
    const request = "GET /agtp HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for (let at = 1; at < request.length; at += 1) {
      const socket = await dial(port);
      const heard = reading(socket);
      await send(socket, request.slice(0, at));
      socket.write(request.slice(at));
      await until(`an answer to a request split at ${at}`, () =>
        /^HTTP\/1\.1 421 .*\}\}$/s.test(heard.said()),
      );
      socket.destroy();
    }
  });

  it("without ALPN to a WebSocket, and to requests on one connection", async () => {
    const { port } = await scene();
    const socket = await dial(port);
    const heard = reading(socket);
    const host = `Host: localhost:${port}\r\n`;
    socket.write(`GET /healthz HTTP/1.1\r\n${host}\r\nGET /agtp HTTP/1.1\r\n${host}\r\n`);
    await until("two answers", () => /HTTP\/1\.1 200 .*HTTP\/1\.1 426 /s.test(heard.said()));
    const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
    socket.write(
      `GET /agtp HTTP/1.1\r\n${host}${upgrade}Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
    );
    await until("the upgrade", () => heard.said().includes("HTTP/1.1 101 "));
  });

  it.each([{ ALPNProtocols: ["agtp"] }, {}])(
    "who ends its side after its request to an answer all the same: %o",
    async (options) => {
      const { port } = await scene();
      const socket = await dial(port, { ...options, allowHalfOpen: true });
      const heard = reading(socket);
      socket.end(REQUEST);
      await heard.over;
      expect(heard.said()).toBe(`agtp:${REQUEST}!`);
    },
  );
});

describe("nobody comes in", () => {
  it("with TLS 1.2, or without TLS", async () => {
    const { port, site } = await scene();
    await expect(dial(port, { maxVersion: "TLSv1.2" })).rejects.toThrow(/protocol.version|alert number 70/i);
    for (const text of [REQUEST, "GET / HTTP/1.1\r\n\r\n", "\0\0\0\0\0\0\0\0"]) {
      const socket = await stall(port);
      const heard = reading(socket);
      socket.write(text);
      await heard.over;
      expect(heard.said()).not.toMatch(/AGTP|HTTP/);
    }
    expect(site.refused).toMatchObject({ "tls-version": 1, "plain-text": 3 });
  });

  it("without a first line of bounded length", async () => {
    const { port, site, arrivals } = await scene();
    const longest = await dial(port);
    longest.write(`${"A".repeat(MAX_FIRST_LINE_BYTES - 1)}\r\n`);
    await until("the longest line", () => arrivals.length === 1);
    for (const bytes of [
      "A".repeat(MAX_FIRST_LINE_BYTES + 1),
      `${"A".repeat(MAX_FIRST_LINE_BYTES + 1)}\r\n`,
    ]) {
      const socket = await dial(port);
      socket.write(bytes);
      await reading(socket).over;
    }
    const ended = await dial(port);
    ended.end("AGTP/1.0 DISC");
    await reading(ended).over;
    expect(site.refused).toMatchObject({ "first-line": 3 });
    expect(arrivals.length).toBe(1);
  });

  it("who takes too long over its handshake, or its first line", async () => {
    const clock = new VirtualClock();
    const { port, site } = await scene({ clock });
    const silent = await stall(port);
    const over = once(silent, "close");
    await until("a handshake under way", () => site.handshakes === 1);
    await clock.advance(HANDSHAKE_MS - 1);
    expect(site.handshakes).toBe(1);
    await clock.advance(1);
    await over;
    const slow = await dial(port);
    slow.write("AGTP/1.0 D");
    const gone = reading(slow).over;
    await until("a line under way", () => site.handshakes === 1);
    // The server hears of the handshake's end a little after the client.
    await new Promise((resolve) => setTimeout(resolve, 50));
    await clock.advance(FIRST_LINE_MS);
    await gone;
    expect(site.refused).toMatchObject({ "handshake-timeout": 1, "first-line": 1 });
    expect(site.handshakes).toBe(0);
  });

  it("beyond the cap of AGTP connections, or while the server stops; HTTP goes on", async () => {
    const told = await scene({ limits: { connections: 2 } });
    const { port, site, arrivals } = told;
    const agtp = { ALPNProtocols: ["agtp"] };
    const [first] = [await dial(port, agtp), await dial(port, agtp)];
    await until("two connections", () => arrivals.length === 2);
    await reading(await dial(port, agtp)).over;
    expect(site.refused).toMatchObject({ "agtp-full": 1 });
    first.destroy();
    await until("room", async () => {
      const { said, over } = reading(await dial(port, agtp));
      return await Promise.race([
        until("a word", () => said() !== "").then(() => true),
        over.then(() => false),
      ]);
    });
    told.unready = "The server stops.";
    await reading(await dial(port, agtp)).over;
    expect(site.refused).toMatchObject({ "agtp-stopping": 1 });
    expect(await health(port)).toBe(200);
  });
});

it("three hundred handshakes that stall hold nobody up who comes from elsewhere", async () => {
  const { port, site } = await scene();
  await Promise.all(Array.from({ length: 300 }, () => stall(port, "127.0.0.2")));
  await until("all of them", () => site.handshakes === 300);
  const began = performance.now();
  const socket = await dial(port, { ALPNProtocols: ["agtp"] });
  const heard = reading(socket);
  socket.write(REQUEST);
  await until("the answer", () => heard.said() === `agtp:${REQUEST}`);
  expect(await health(port)).toBe(200);
  expect(performance.now() - began).toBeLessThan(1_000);
  expect(site.handshakes).toBe(300);
});

it("handshakes begin at their pace, and whoever waits for its turn is told nothing and dropped after its time", async () => {
  const clock = new VirtualClock();
  const { port, site } = await scene({ clock, limits: { handshakeRate: { perSecond: 100, burst: 1 } } });
  const stalled = await stall(port);
  await until("a handshake under way", () => site.handshakes === 1);
  const [next, last] = [dial(port), stall(port)];
  await until("two that wait", () => site.handshakes === 3);
  let isThrough = false;
  void next.then(() => {
    isThrough = true;
  });
  await clock.advance(9);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(isThrough).toBe(false);
  await clock.advance(1);
  await next;
  const over = [once(stalled, "close"), once(await last, "close")];
  await clock.advance(HANDSHAKE_MS);
  await Promise.all(over);
  expect(site.refused).toMatchObject({ "handshake-timeout": 2 });
});

it("of more unfinished handshakes than there is room for, the oldest goes", async () => {
  const { port, site } = await scene({ limits: { handshakes: 2 } });
  const [oldest, second] = [await stall(port), await stall(port)];
  const over = once(oldest, "close");
  await until("both", () => site.handshakes === 2);
  await stall(port);
  await over;
  expect(site.handshakes).toBe(2);
  expect(second.closed).toBe(false);
  expect(site.refused).toMatchObject({ "handshakes-full": 1 });
});

it("one address has so many unfinished handshakes, and as many connections as it finished", async () => {
  const { port, site, arrivals } = await scene({ handshakes: 2 });
  for (let count = 1; count <= 3; count += 1) {
    await dial(port, { ALPNProtocols: ["agtp"] });
    await until("an arrival", () => arrivals.length === count);
  }
  await Promise.all([stall(port), stall(port)]);
  await until("both", () => site.handshakes === 2);
  await once(await stall(port), "close");
  expect(site.refused).toMatchObject({ "address-handshakes": 1 });
});

it("AGTP connections may be idle for less while many of them are there", async () => {
  const { port, arrivals } = await scene({
    limits: { connections: 4, idleSeconds: 60, pressedIdleSeconds: 5 },
  });
  const sockets: TLSSocket[] = [];
  for (let count = 1; count <= 3; count += 1) {
    if (count > 1) expect(arrivals[0]?.idleMs()).toBe(60_000);
    sockets.push(await dial(port, { ALPNProtocols: ["agtp"] }));
    await until("an arrival", () => arrivals.length === count);
  }
  expect(arrivals[0]?.idleMs()).toBe(5_000);
  sockets[2]?.destroy();
  await until("ease", () => arrivals[0]?.idleMs() === 60_000);
});

it("a site that closes drops handshakes and AGTP connections", async () => {
  const { port, site, arrivals } = await scene();
  const [stalled, agtp] = [await stall(port), await dial(port, { ALPNProtocols: ["agtp"] })];
  await until("an arrival", () => arrivals.length === 1 && site.handshakes === 1);
  agtp.resume();
  const over = [once(stalled, "close"), once(agtp, "close")];
  await site.close();
  await Promise.all(over);
});

function send(socket: TLSSocket, text: string): Promise<void> {
  return new Promise((resolve) => socket.write(text, () => setImmediate(resolve)));
}
