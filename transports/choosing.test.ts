import { describe, expect, test } from "vitest";
import { ParleyError } from "../codecs/parley-error.ts";
import {
  type Carrier,
  CLOSE_CODES,
  type CloseInfo,
  type Connection,
  type ConnectionHandlers,
  type ConnectOptions,
} from "../sfu/carrier.ts";
import { Link } from "../src/emulation/link.ts";
import { SeededRandom } from "../src/emulation/seeded-random.ts";
import { VirtualClock } from "../test/net/virtual-clock.ts";
import { choosingCarrier, FAILURE_KEPT, PROBE_TIMEOUT } from "./choosing.ts";
import { type LinkModel, MemoryNetwork } from "./memory.ts";

const URL = "https://parley.test:4480/agtp";
const ignore: ConnectionHandlers = { datagram() {}, stream() {}, exchange() {}, closed() {} };
/** A way back on which streams do not arrive. */
const noStreams: LinkModel = { datagram: (_, now) => now + 5, reliable: () => Number.POSITIVE_INFINITY };
/** A way on which nothing but streams gets through. */
const noDatagrams: LinkModel = { datagram: () => undefined, reliable: (_, now) => now + 5 };
const good: LinkModel = { datagram: (_, now) => now + 5, reliable: (_, now) => now + 5 };

/** Two networks in memory stand for the two carriers; what each was asked is noted. */
function world(link: LinkModel = good, isListening = true, back = link) {
  const clock = new VirtualClock();
  const asked: string[] = [];
  const carrier = (name: string, network: MemoryNetwork): Carrier => ({
    connect: (url: string, options: ConnectOptions, handlers) => {
      asked.push(`${name}: ${options.choice}`);
      return network.connect(url, options, handlers);
    },
  });
  const udp = new MemoryNetwork({ clock, toServer: link, toClient: back });
  const tcp = new MemoryNetwork({ clock });
  if (isListening) udp.listen("parley.test:4480", () => ignore);
  tcp.listen("parley.test:4480", () => ignore);
  const parts = { clock, webTransport: carrier("quic", udp), webSocket: carrier("tcp", tcp) };
  const settled = async (connecting: Promise<Connection>): Promise<Connection> => {
    for (let ms = 0; ms < 2 * PROBE_TIMEOUT; ms += 10) await clock.advance(10);
    return await connecting;
  };
  return { clock, asked, parts, settled, udp };
}

describe("another way than the one chosen", () => {
  test("is WebSocket for who chose WebTransport, and WebTransport is what that stands in for", async () => {
    const { asked, parts, settled } = world();
    const carrier = choosingCarrier(parts);
    const chosen = await settled(carrier.connect(URL, {}, () => ignore));
    expect(carrier.preferred?.(chosen)).toBeUndefined();
    const standIn = await settled(
      carrier.instead?.(chosen)?.connect(URL, {}, () => ignore) as Promise<Connection>,
    );
    expect(asked.at(-1)).toBe("tcp: WebTransport had no answer any more");
    // A new connection of the agent does not wait for WebTransport either, and stands in for it as well.
    const next = await settled(carrier.connect(URL, {}, () => ignore));
    expect(asked.at(-1)).toBe("tcp: WebTransport had no answer any more");
    for (const one of [standIn, next]) {
      const back = await settled(
        carrier.preferred?.(one)?.connect(URL, {}, () => ignore) as Promise<Connection>,
      );
      expect(asked.at(-1)).toBe("quic: WebTransport works here");
      expect(carrier.instead?.(back)).toBeDefined();
    }
  });

  test("is none for who asked for WebTransport alone, and a new connection for who has a WebSocket", async () => {
    const { clock, parts, settled } = world();
    const alone = choosingCarrier({ ...parts, choice: "webtransport" });
    expect(alone.instead?.(await settled(alone.connect(URL, {}, () => ignore)))).toBeUndefined();
    const network = new MemoryNetwork({ clock, carrier: "websocket" });
    network.listen("parley.test:4480", () => ignore);
    const sockets = choosingCarrier({ ...parts, webSocket: network, choice: "websocket" });
    const connection = await settled(sockets.connect(URL, {}, () => ignore));
    expect(sockets.instead?.(connection)).toBe(sockets);
    expect(sockets.preferred?.(connection)).toBeUndefined();
  });

  test("is refused by a WebTransport that still does not work", async () => {
    const link = new Link({ delay: 5 }, new SeededRandom(1));
    const { clock, parts, settled } = world(link);
    const carrier = choosingCarrier(parts);
    const chosen = await settled(carrier.connect(URL, {}, () => ignore));
    link.darken(clock.now(), Number.POSITIVE_INFINITY);
    const standIn = await settled(
      carrier.instead?.(chosen)?.connect(URL, {}, () => ignore) as Promise<Connection>,
    );
    const back = carrier.preferred?.(standIn)?.connect(URL, {}, () => ignore) as Promise<Connection>;
    const refused = expect(back).rejects.toMatchObject({ code: "connection-lost" });
    await settled(refused as Promise<never>);
  });
});

describe("the choice of a carrier", () => {
  test("falls on WebTransport where datagrams come back", async () => {
    const { asked, parts, settled } = world();
    const connection = await settled(choosingCarrier(parts).connect(URL, {}, () => ignore));
    expect(connection.roundTrip).toBe(10);
    expect(asked).toEqual(["quic: WebTransport works here"]);
  });

  test("falls on WebSocket where WebTransport is missing", async () => {
    const { asked, parts, settled } = world();
    await settled(choosingCarrier({ ...parts, webTransport: undefined }).connect(URL, {}, () => ignore));
    expect(asked).toEqual(["tcp: WebTransport is missing here"]);
  });

  test("falls on AGTP over TLS only for who asks for it, and where there is such a thing", async () => {
    const { asked, parts } = world(good, false);
    const tls: Carrier = {
      connect: (url, options, handlers) => {
        asked.push(`tls: ${options.choice}`);
        return parts.webSocket.connect(url, {}, handlers);
      },
    };
    await choosingCarrier({ ...parts, tls, choice: "tls" }).connect(URL, {}, () => ignore);
    expect(asked[0]).toBe("tls: TLS was asked for");
    await choosingCarrier({ ...parts, tls, webTransport: undefined }).connect(URL, {}, () => ignore);
    expect(asked.at(-1)).toBe("tcp: WebTransport is missing here");
    await expect(
      choosingCarrier({ ...parts, choice: "tls" }).connect(URL, {}, () => ignore),
    ).rejects.toMatchObject({ code: "native-unavailable" });
  });

  test("sends WebSocket where the connection says, else where the carrier was told, else to the same host and port", async () => {
    const { parts } = world();
    const dialled: string[] = [];
    const webSocket: Carrier = {
      connect: (url, options, handlers) => {
        dialled.push(url);
        return parts.webSocket.connect(URL, options, handlers);
      },
    };
    const told = { ...parts, webSocket, choice: "websocket", webSocketUrl: "wss://told.test/agtp" } as const;
    await choosingCarrier(told).connect(URL, { webSocketUrl: "wss://said.test/agtp" }, () => ignore);
    await choosingCarrier(told).connect(URL, {}, () => ignore);
    await choosingCarrier({ ...told, webSocketUrl: undefined }).connect(URL, {}, () => ignore);
    expect(dialled).toEqual(["wss://said.test/agtp", "wss://told.test/agtp", URL]);
  });

  test("falls on WebSocket where datagrams do not come back; the owner hears nothing of the trial's end", async () => {
    const { asked, parts, settled } = world(noDatagrams);
    const closed: CloseInfo[] = [];
    const handlers = { ...ignore, closed: (info: CloseInfo) => void closed.push(info) };
    await settled(choosingCarrier(parts).connect(URL, {}, () => handlers));
    expect(asked).toEqual(["quic: WebTransport works here", "tcp: datagrams do not come back"]);
    expect(closed).toEqual([]);
  });

  test("falls on WebSocket where streams that the server opens do not arrive", async () => {
    const { asked, parts, settled } = world(good, true, noStreams);
    await settled(choosingCarrier(parts).connect(URL, {}, () => ignore));
    expect(asked.slice(1)).toEqual(["tcp: streams that the server opens do not arrive"]);
  });

  test("outlives lost pings, and the probe's stream is no business of the owner's", async () => {
    let passed = 0;
    const lossy: LinkModel = { ...good, datagram: (_, now) => (++passed > 4 ? now + 5 : undefined) };
    const { asked, parts, settled } = world(lossy);
    const streams: unknown[] = [];
    const handlers = { ...ignore, stream: (stream: unknown) => void streams.push(stream) };
    await settled(choosingCarrier(parts).connect(URL, {}, () => handlers));
    expect(asked).toEqual(["quic: WebTransport works here"]);
    expect(streams).toEqual([]);
  });

  test("leaves a server's refusal as it is, and falls on WebSocket where WebTransport just breaks", async () => {
    for (const [code, takes] of [
      [CLOSE_CODES.overloaded, "quic"],
      [CLOSE_CODES.normal, "tcp"],
    ] as const) {
      const { asked, parts, settled, udp } = world();
      udp.listen("full.test:4480", (connection) => {
        parts.clock.at(1, () => connection.close(code, "no more"));
        return ignore;
      });
      const closed: CloseInfo[] = [];
      const handlers = { ...ignore, closed: (info: CloseInfo) => void closed.push(info) };
      const connecting = choosingCarrier({
        ...parts,
        webSocketUrl: URL,
      }).connect("https://full.test:4480/agtp", {}, () => handlers);
      const connection = await settled(connecting);
      expect(asked.at(-1)?.split(":")[0]).toBe(takes);
      expect(closed).toEqual(takes === "quic" ? [{ code, reason: "no more" }] : []);
      expect(connection.sendDatagram(Uint8Array.of(1))).toBe(takes === "quic" ? "closed" : "sent");
    }
  });

  test("that ends in nothing tells what became of both", async () => {
    const refusing = (code: "connect-refused" | "connect-timeout", message: string): Carrier => ({
      connect: () => Promise.reject(new ParleyError({ code, message, details: { url: URL } })),
    });
    const clock = new VirtualClock();
    const timedOut = refusing("connect-timeout", "No answer.");
    const refused = refusing("connect-refused", "Nobody there.");
    const both = (webTransport: Carrier | undefined, webSocket: Carrier) =>
      choosingCarrier({ clock, webTransport, webSocket }).connect(URL, {}, () => ignore);
    const attempts = [
      { carrier: "webtransport", code: "connect-timeout", message: "No answer." },
      { carrier: "websocket", code: "connect-refused", message: "Nobody there." },
    ];
    const message = "Nobody there. Over WebTransport: No answer.";
    await expect(both(timedOut, refused)).rejects.toMatchObject({
      code: "connect-refused",
      message,
      details: { url: URL, attempts },
    });
    await expect(both(refused, timedOut)).rejects.toMatchObject({
      code: "connect-refused",
      message: "Nobody there. Over WebSocket: No answer.",
    });
    await expect(both(undefined, timedOut)).rejects.toMatchObject({
      code: "connect-timeout",
      details: {
        attempts: [{ carrier: "webtransport", code: "native-unavailable" }, { code: "connect-timeout" }],
      },
    });
  });

  test("remembers a failure for a while", async () => {
    const { asked, clock, parts, settled } = world(good, false);
    const carrier = choosingCarrier(parts);
    await settled(carrier.connect(URL, {}, () => ignore));
    await settled(carrier.connect(URL, {}, () => ignore));
    const why = "tcp: WebTransport failed: Nothing listens at https://parley.test:4480/agtp";
    expect(asked).toEqual(["quic: WebTransport works here", why, why]);
    await clock.advance(FAILURE_KEPT);
    await settled(carrier.connect(URL, {}, () => ignore));
    expect(asked.slice(3)).toEqual(["quic: WebTransport works here", why]);
  });

  test("remembers no failure where WebSocket works no better", async () => {
    const { asked, clock, parts, settled, udp } = world(good, false);
    const refusing: Carrier = {
      connect: () => Promise.reject(new ParleyError({ code: "connect-refused", message: "Not trusted." })),
    };
    const carrier = choosingCarrier({ ...parts, webSocket: refusing });
    await expect(carrier.connect(URL, {}, () => ignore)).rejects.toMatchObject({ code: "connect-refused" });
    udp.listen("parley.test:4480", () => ignore);
    await clock.advance(1_000);
    await settled(carrier.connect(URL, {}, () => ignore));
    expect(asked).toEqual(["quic: WebTransport works here", "quic: WebTransport works here"]);
  });

  test("forgets a failure once WebSocket fails, too", async () => {
    const { asked, parts, settled, udp } = world(good, false);
    let isBroken = false;
    const webSocket: Carrier = {
      connect: (...args) =>
        isBroken
          ? Promise.reject(new ParleyError({ code: "connect-timeout", message: "No answer." }))
          : parts.webSocket.connect(...args),
    };
    const carrier = choosingCarrier({ ...parts, webSocket });
    await settled(carrier.connect(URL, {}, () => ignore));
    isBroken = true;
    await expect(carrier.connect(URL, {}, () => ignore)).rejects.toMatchObject({
      details: { attempts: [{ carrier: "webtransport" }, { carrier: "websocket", code: "connect-timeout" }] },
    });
    udp.listen("parley.test:4480", () => ignore);
    const before = asked.length;
    await settled(carrier.connect(URL, {}, () => ignore));
    expect(asked.slice(before)).toEqual(["quic: WebTransport works here"]);
  });

  test("is the caller's where one is forced", async () => {
    const { asked, parts, settled } = world(noDatagrams);
    for (const choice of ["webtransport", "websocket"] as const)
      await settled(choosingCarrier({ ...parts, choice }).connect(URL, {}, () => ignore));
    expect(asked).toEqual(["quic: WebTransport was asked for", "tcp: WebSocket was asked for"]);
    await expect(
      choosingCarrier({ ...parts, choice: "webtransport", webTransport: undefined }).connect(
        URL,
        {},
        () => ignore,
      ),
    ).rejects.toMatchObject({ code: "native-unavailable" });
  });
});
