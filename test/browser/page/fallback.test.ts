/** A network that swallows UDP: the page talks by WebSocket without being told. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { expect, onTestFinished, test } from "vitest";
import { startChromium } from "../chromium.ts";
import { Site } from "./site.ts";
import { Visitor } from "./visitor.ts";

test("where QUIC gets no answer the page gives it up in time, says why, and talks by WebSocket", async () => {
  const hole = createSocket("udp4").bind(0, "127.0.0.1");
  await once(hole, "listening");
  onTestFinished(() => void hole.close());
  let swallowed = 0;
  hole.on("message", () => swallowed++);
  const site = await Site.start();
  onTestFinished(() => site.stop());
  const { host } = new URL(site.server.url);
  await using browser = await startChromium({ reroute: `${host} 127.0.0.1:${hole.address().port}` });

  const began = performance.now();
  const ada = await Visitor.arrive(browser, site.url, tmpdir());
  // The probe has a second and a half; the rest is a busy machine's.
  expect(performance.now() - began).toBeLessThan(10_000);
  expect(swallowed).toBeGreaterThan(0);
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
