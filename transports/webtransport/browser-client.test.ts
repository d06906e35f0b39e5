/** The browser's end over transports of the shapes that browsers have; Chromium itself is in test/browser. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { systemClock } from "../../platform/node/clock.ts";
import type { Connection, ConnectionHandlers } from "../../sfu/carrier.ts";
import { listenWebSocket } from "../../test/web-socket-server.ts";
import {
  AdaptedTransportError,
  type DatagramShape,
  webTransportOf,
} from "../../test/web-transport-shapes.ts";
import { choosingCarrier } from "../choosing.ts";
import { webSocketCarrier } from "../websocket/client.ts";
import { hasWebTransport, webTransportCarrier } from "./browser-client.ts";
import { storedCertificate } from "./certificate.ts";
import { listenWebTransport } from "./server.ts";

const clock = systemClock;
const ignore: ConnectionHandlers = { datagram() {}, stream() {}, exchange() {}, closed() {} };
const echo = (connection: Connection): ConnectionHandlers => ({
  ...ignore,
  datagram: (bytes) => void connection.sendDatagram(bytes),
});

let folder: string;
let quic: Awaited<ReturnType<typeof listenWebTransport>>;
let sockets: Awaited<ReturnType<typeof listenWebSocket>>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parley-shapes-"));
  const certificate = await storedCertificate({ folder, now: Date.now() });
  quic = await listenWebTransport({ clock, certificate, port: 0 }, echo);
  sockets = await listenWebSocket({ clock }, echo);
});
afterEach(() => vi.unstubAllGlobals());
afterAll(async () => {
  await quic.close();
  await sockets.close();
  await rm(folder, { recursive: true });
});

/** Connects as a page of a browser with such a WebTransport would, and sends a datagram there and back. */
async function echoed(shape: DatagramShape | undefined) {
  if (shape !== undefined) {
    vi.stubGlobal("WebTransport", webTransportOf(shape));
    vi.stubGlobal("WebTransportError", AdaptedTransportError);
  }
  const back = Promise.withResolvers<number[]>();
  const carrier = choosingCarrier({
    clock,
    webTransport: hasWebTransport() ? webTransportCarrier({ clock }) : undefined,
    webSocket: webSocketCarrier({ clock }),
    webSocketUrl: sockets.url,
  });
  const dialling = { certificateHashes: [quic.certificateHash] };
  const connection = await carrier.connect(`https://${quic.address}/agtp`, dialling, () => ({
    ...ignore,
    datagram: (bytes) => back.resolve([...bytes]),
  }));
  connection.sendDatagram(Uint8Array.of(4, 5));
  const datagram = await back.promise;
  connection.close(0, "");
  return { carrier: connection.carrier, why: connection.choice, datagram };
}

test.each([
  ["property", "webtransport", "WebTransport works here"],
  ["on-demand", "webtransport", "WebTransport works here"],
  ["none", "websocket", "WebTransport failed: It takes no datagrams in this browser"],
  [undefined, "websocket", "WebTransport is missing here"],
] as const)("datagrams sent by %s go over %s", async (shape, carrier, why) => {
  expect(await echoed(shape)).toEqual({ carrier, why, datagram: [4, 5] });
});
