/** The browser's own ends of both carriers, against real servers. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { encodeHex } from "../../codecs/hex.ts";
import { systemClock } from "../../platform/node/clock.ts";
import {
  CLOSE_CODES,
  type Connection,
  type ConnectionHandlers,
  type ReceiveStream,
} from "../../sfu/carrier.ts";
import { storedCertificate } from "../../transports/webtransport/certificate.ts";
import { listenWebTransport } from "../../transports/webtransport/server.ts";
import { listenWebSocket } from "../web-socket-server.ts";
import { type Chromium, startChromium } from "./chromium.ts";
import { type ModulePage, serveModule } from "./module-page.ts";

let served: ModulePage;
let browser: Chromium;
beforeAll(async () => {
  [served, browser] = await Promise.all([
    serveModule(new URL("./carriers-page.ts", import.meta.url)),
    startChromium(),
  ]);
});
afterAll(async () => {
  await browser?.close();
  await served?.[Symbol.asyncDispose]();
});

test.each(["webtransport", "websocket"] as const)("%s runs in Chromium", async (kind) => {
  const folder = await mkdtemp(join(tmpdir(), "parley-browser-carrier-"));
  const certificate = await storedCertificate({ folder, now: Date.now() });
  const options = { clock: systemClock };
  const listener =
    kind === "websocket"
      ? await listenWebSocket(options, play)
      : await listenWebTransport({ ...options, certificate, port: 0 }, play);
  const page = await browser.open(served.url);
  await page.waitForSelector("body[data-ready]");
  const url = `${kind === "websocket" ? "ws" : "https"}://${listener.address}/agtp`;
  const report = await page.evaluate(([kind, url, hash]) => globalThis.tryCarrier(kind, url, hash), [
    kind,
    url,
    encodeHex(certificate.hash),
  ] as const);
  expect(report).toEqual({
    carrier: kind,
    isPinned: kind === "webtransport",
    echoed: 300_000,
    datagram: [5, 6, 7],
    fromServer: 50_000,
    toServer: 40_000,
    closed: { code: CLOSE_CODES.replaced, reason: "that was all" },
  });
  expect(browser.complaints).toEqual([]);
  await page.close();
  await listener.close();
  await rm(folder, { recursive: true });
});

test("datagrams go and come while the page is busy: none waits for the one before it, none is pushed out by the next", async () => {
  const folder = await mkdtemp(join(tmpdir(), "parley-browser-busy-"));
  const certificate = await storedCertificate({ folder, now: Date.now() });
  const arrivals: number[] = [];
  const echo = (connection: Connection): ConnectionHandlers => ({
    datagram(bytes) {
      arrivals.push(Date.now());
      connection.sendDatagram(bytes);
    },
    stream() {},
    exchange() {},
    closed() {},
  });
  const listener = await listenWebTransport({ clock: systemClock, certificate, port: 0 }, echo);
  const page = await browser.open(served.url);
  await page.waitForSelector("body[data-ready]");
  const { doneAt, received } = await page.evaluate(([url, hash]) => globalThis.sendAndBeBusy(url, hash, 50), [
    `https://${listener.address}/agtp`,
    encodeHex(certificate.hash),
  ] as const);
  expect(arrivals.filter((at) => at < doneAt)).toHaveLength(50);
  expect(received).toBe(50);
  await page.close();
  await listener.close();
  await rm(folder, { recursive: true });
});

/** Echoes the first exchange and every datagram, opens a stream, says on the second exchange how much came on a stream, and closes. */
function play(connection: Connection): ConnectionHandlers {
  const arrived = Promise.withResolvers<ReceiveStream>();
  let exchanges = 0;
  return {
    datagram: (bytes) => void connection.sendDatagram(bytes),
    stream: arrived.resolve,
    exchange: async ({ receive, send }) => {
      exchanges++;
      if (exchanges === 1) {
        const opened = await connection.openStream();
        await opened.write(new Uint8Array(50_000));
        await opened.finish();
        for (let chunk = await receive.read(); chunk; chunk = await receive.read()) await send.write(chunk);
        await send.finish();
        return;
      }
      const stream = await arrived.promise;
      for (let chunk = await stream.read(); chunk; chunk = await stream.read()) await send.write(chunk);
      await send.finish();
      systemClock.at(systemClock.now() + 300, () => connection.close(CLOSE_CODES.replaced, "that was all"));
    },
    closed() {},
  };
}
