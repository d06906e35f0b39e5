import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { systemClock } from "../../platform/node/clock.ts";
import { CLOSE_CODES, type CloseInfo, type Connection, type ConnectionHandlers } from "../../sfu/carrier.ts";
import { until } from "../../test/waiting.ts";
import { listenWebSocket } from "../../test/web-socket-server.ts";
import { type ServerCertificate, storedCertificate } from "../webtransport/certificate.ts";
import { webSocketCarrier } from "./client.ts";

const ignore: ConnectionHandlers = { datagram() {}, stream() {}, exchange() {}, closed() {} };
const carrier = webSocketCarrier({ clock: systemClock });

let folder = "";
let certificate: ServerCertificate;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parley-websocket-"));
  certificate = await storedCertificate({ folder, now: Date.now() });
});
afterAll(() => rm(folder, { recursive: true }));

async function portOf(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as { port: number }).port;
}

describe("WebSocket client", () => {
  test("takes any of several hashes, and says which one it was", async () => {
    const accepted: Connection[] = [];
    const listener = await listenWebSocket({ clock: systemClock, certificate }, (connection) => {
      accepted.push(connection);
      return ignore;
    });
    const connection = await carrier.connect(
      listener.url.replace("wss:", "https:"),
      { certificateHashes: [new Uint8Array(32), certificate.hash] },
      () => ignore,
    );
    expect(connection).toMatchObject({ carrier: "websocket", url: listener.url, pinned: certificate.hash });
    expect(accepted[0]?.peerAddress).toMatch(/^127\.0\.0\.1:\d+$/);
    connection.close(0, "");
    await listener.close();
  });

  test("says nothing to a server with another certificate", async () => {
    const heard: unknown[] = [];
    const server = createTlsServer(
      { cert: certificate.certificatePem, key: certificate.privateKeyPem },
      (socket) => socket.on("data", (data) => heard.push(data)).on("error", () => {}),
    );
    const port = await portOf(server);
    const gone = new Promise((resolve) => server.on("connection", (socket) => socket.on("close", resolve)));
    await expect(
      carrier.connect(`wss://127.0.0.1:${port}`, { certificateHashes: [new Uint8Array(32)] }, () => ignore),
    ).rejects.toMatchObject({ code: "connect-refused", message: expect.stringContaining("certificate") });
    await gone;
    expect(heard).toEqual([]);
    server.close();
  });

  test("without hashes trusts only the system's roots", async () => {
    const listener = await listenWebSocket({ clock: systemClock, certificate }, () => ignore);
    await expect(carrier.connect(listener.url, {}, () => ignore)).rejects.toMatchObject({
      code: "connect-refused",
    });
    await listener.close();
  });

  test("gives up on a server that takes the connection and says nothing", async () => {
    const server = createServer((socket) => socket.on("error", () => {}));
    const port = await portOf(server);
    for (const url of [`ws://127.0.0.1:${port}`, `wss://127.0.0.1:${port}`])
      await expect(carrier.connect(url, { connectTimeout: 100 }, () => ignore)).rejects.toMatchObject({
        code: "connect-timeout",
      });
    server.close();
  });

  test("is refused where nobody listens, and where no WebSocket is served", async () => {
    const server = createServer((socket) =>
      socket.resume().end("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
    );
    const port = await portOf(server);
    const refused = { code: "connect-refused" };
    await expect(carrier.connect(`ws://127.0.0.1:${port}`, {}, () => ignore)).rejects.toMatchObject(refused);
    await new Promise((resolve) => server.close(resolve));
    await expect(carrier.connect(`ws://127.0.0.1:${port}`, {}, () => ignore)).rejects.toMatchObject(refused);
  });

  test("goes without encryption to this machine alone", async () => {
    for (const url of ["ws://192.0.2.1:4480/agtp", "ws://127.0.0.1.example:4480", "http://127.0.0.1:4480"])
      await expect(carrier.connect(url, {}, () => ignore)).rejects.toMatchObject({ code: "usage" });
  });
});

describe("a WebSocket that ends without a word", () => {
  test("is told to the owner once", async () => {
    const closed: CloseInfo[] = [];
    const listener = await listenWebSocket({ clock: systemClock }, () => ({
      ...ignore,
      closed: (info) => closed.push(info),
    }));
    const socket = new WebSocket(listener.url);
    await once(socket, "open");
    socket.terminate();
    await until("the end is told", () => closed.length > 0);
    expect(closed).toEqual([
      { code: CLOSE_CODES.normal, reason: "the peer left without a word", isLost: true },
    ]);
    await listener.close();
  });
});

describe("a client that does not keep to the rules", () => {
  test.each([
    ["text", "hello", "a message that is not binary"],
    ["rubbish", Buffer.from([99]), "The message is malformed: no such type."],
    ["a message that is too large", Buffer.alloc(100_000), "a message is too large"],
  ])("is closed for %s", async (_, message, reason) => {
    const closed: CloseInfo[] = [];
    const listener = await listenWebSocket({ clock: systemClock }, () => ({
      ...ignore,
      closed: (info) => closed.push(info),
    }));
    const socket = new WebSocket(listener.url);
    await once(socket, "open");
    socket.send(message);
    await once(socket, "close");
    await until("the end is told", () => closed.length > 0);
    expect(closed).toEqual([{ code: CLOSE_CODES.protocolViolation, reason }]);
    await listener.close();
  });
});
