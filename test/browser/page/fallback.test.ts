/** A network that swallows UDP, from some moment on or from the beginning: the page talks by WebSocket without being told. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startUdpEmulator, type UdpEmulator } from "../../../src/emulation/udp-emulator.ts";
import { type Chromium, startChromium } from "../chromium.ts";
import { Site } from "./site.ts";
import { Visitor } from "./visitor.ts";

const folder = mkdtempSync(join(tmpdir(), "parley-page-fallback-"));
const CLEAR = { delay: 0 };
let site: Site;
/** Between the browser and the server's UDP port. */
let udp: UdpEmulator;
let browser: Chromium;
let ada: Visitor;

beforeAll(async () => {
  site = await Site.start();
  const { host } = new URL(site.server.url);
  udp = await startUdpEmulator({ target: host, toServer: CLEAR, toClient: CLEAR, seed: 1 });
  browser = await startChromium({ reroute: `${host} ${udp.address}` });
  ada = await Visitor.arrive(browser, site.url, folder);
});
afterAll(async () => {
  await browser?.close();
  await udp?.close();
  await site?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("a call goes on by WebSocket where QUIC gets no answer any more, and the page was never offline", async () => {
  expect(await ada.text("carrier")).toBe("by WebTransport");
  // What it reads takes nine seconds, and waits for who is away.
  await ada.call("Reader");
  await ada.counts("heard-verified", 25);
  const began = performance.now();
  udp.darken(Number.POSITIVE_INFINITY);
  await ada.reads("carrier", /by WebSocket/);
  const heard = await ada.count("heard-verified");
  await ada.counts("heard-verified", heard + 25);
  // A second and a half until the way counts as dark, as long for the other one at most; the rest is a busy machine's.
  expect(performance.now() - began).toBeLessThan(10_000);
  await ada.phase("up");
  await ada.line("online");
  expect(await ada.refusals()).toEqual([]);
  await ada.hangUp();
  expect(await ada.outcome()).toEqual(["You hung up.", "hung-up"]);
  expect(browser.complaints).toEqual([]);
});

test("where QUIC gets no answer the page gives it up in time, says why, and talks by WebSocket", async () => {
  const { offered } = udp.toServer;
  const began = performance.now();
  await ada.page.reload();
  await ada.line("online");
  // The probe has a second and a half; the rest is a busy machine's.
  expect(performance.now() - began).toBeLessThan(10_000);
  expect(udp.toServer.offered).toBeGreaterThan(offered);
  expect(await ada.text("carrier")).toBe("by WebSocket");
  await ada.page.getByTestId("carrier").click();
  expect(await ada.text("carrier-why")).toMatch(/no answer over UDP within 1\.5 s/);
  await ada.call("Reader");
  await ada.counts("heard-verified", 50);
  await ada.hangUp();
  expect(await ada.outcome()).toEqual(["You hung up.", "hung-up"]);
  // Chromium's own word on the dial that failed.
  for (const complaint of browser.complaints)
    expect(complaint).toMatch(/^Failed to establish a connection to https:.* net::ERR_QUIC_PROTOCOL_ERROR/);
});
