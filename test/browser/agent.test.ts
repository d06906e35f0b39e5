/** Whole calls of `Agent` from a page, over each carrier, to an agent in Node through a whole server. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Agent, type Call, createIdentity } from "../../agent/node.ts";
import { type RunningServer, serve } from "../../src/server/serve.ts";
import type { CallAsked } from "./agent-page.ts";
import { type Chromium, startChromium } from "./chromium.ts";
import { type ModulePage, serveModule } from "./module-page.ts";

let folder: string;
let served: ModulePage;
let server: RunningServer;
let browser: Chromium;
let bob: Agent;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "parley-browser-agent-"));
  served = await serveModule(new URL("./agent-page.ts", import.meta.url));
  server = await serve({
    dataFolder: folder,
    port: 0,
    httpPort: 0,
    registration: "open",
    logLevel: "silent",
    allowedOrigins: [new URL(served.url).origin],
  });
  browser = await startChromium();
  bob = await Agent.connect(server.url, {
    identity: createIdentity({ name: "Bob" }).identity,
    certificateHashes: [server.certificateHash],
    carrier: "websocket",
    webSocketUrl: server.webSocketUrl as string,
  });
});
afterAll(async () => {
  await bob?.close();
  await browser?.close();
  await server?.stop(0);
  await served?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

test.each([
  ["webtransport", false, "webtransport", "WebTransport was asked for"],
  ["websocket", false, "websocket", "WebSocket was asked for"],
  ["auto", false, "webtransport", "WebTransport works here"],
  ["auto", true, "websocket", "WebTransport is missing here"],
] as const)(
  "%s makes a call from Chromium (WebTransport taken away: %s)",
  async (carrier, withoutWebTransport, kind, reason) => {
    expect(bob.carrier.kind).toBe("websocket");
    const taken = Promise.withResolvers<Call>();
    bob.onCall((incoming) => void incoming.accept({ data: true }).then(taken.resolve, taken.reject));
    const page = await browser.open(served.url);
    await page.waitForSelector("body[data-ready]");
    const asked: CallAsked = {
      url: server.url,
      hash: server.certificateHash,
      // Browsers want a certificate of their roots for wss:, but not on the plain side of this machine.
      webSocketUrl: `${server.httpUrl?.replace("http", "ws")}/agtp`,
      carrier,
      withoutWebTransport,
      callee: bob.id,
      words: `by ${carrier}`,
    };
    const reporting = page.evaluate((asked) => globalThis.callOut(asked), asked);
    const call = await Promise.race([taken.promise, reporting.then(() => taken.promise)]);
    await call.audio.write(new Int16Array(48_000));
    for await (const { value } of call.data ?? []) {
      await call.data?.send([value, "heard"]);
      break;
    }
    const report = await reporting;
    await call.settled;
    expect(report).toMatchObject({
      kind,
      reason,
      hasRoundTrip: true,
      answer: [`by ${carrier}`, "heard"],
      refused: {},
    });
    expect(report.heard).toBeGreaterThanOrEqual(20);
    expect(call.stats().heard?.verified).toBeGreaterThan(0);
    await page.close();
    expect(browser.complaints).toEqual([]);
  },
);
