import { describe, expect, test } from "vitest";
import type { Carrier, CloseInfo, Connection, ConnectionHandlers, ConnectOptions } from "../sfu/carrier.ts";
import { VirtualClock } from "../test/net/virtual-clock.ts";
import { choosingCarrier, FAILURE_KEPT, PROBE_TIMEOUT } from "./choosing.ts";
import { type LinkModel, MemoryNetwork } from "./memory.ts";

const URL = "https://parley.test:4480/agtp";
const ignore: ConnectionHandlers = { datagram() {}, stream() {}, exchange() {}, closed() {} };
/** A way on which nothing but streams gets through. */
const noDatagrams: LinkModel = { datagram: () => undefined, reliable: (_, now) => now + 5 };
const good: LinkModel = { datagram: (_, now) => now + 5, reliable: (_, now) => now + 5 };

/** Two networks in memory stand for the two carriers; what each was asked is noted. */
function world(link: LinkModel = good, isListening = true) {
  const clock = new VirtualClock();
  const asked: string[] = [];
  const carrier = (name: string, network: MemoryNetwork): Carrier => ({
    connect: (url: string, options: ConnectOptions, handlers) => {
      asked.push(`${name}: ${options.choice}`);
      return network.connect(url, options, handlers);
    },
  });
  const udp = new MemoryNetwork({ clock, toServer: link, toClient: link });
  const tcp = new MemoryNetwork({ clock });
  if (isListening) udp.listen("parley.test:4480", () => ignore);
  tcp.listen("parley.test:4480", () => ignore);
  const parts = { clock, webTransport: carrier("quic", udp), webSocket: carrier("tcp", tcp) };
  const settled = async (connecting: Promise<Connection>): Promise<Connection> => {
    for (let ms = 0; ms < 2 * PROBE_TIMEOUT; ms += 10) await clock.advance(10);
    return await connecting;
  };
  return { clock, asked, parts, settled };
}

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
