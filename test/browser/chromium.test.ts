import { expect, test } from "vitest";
import { startChromium } from "./chromium.ts";
import { serveModule } from "./module-page.ts";

test("a module of ours runs in Chromium, in a secure context with a microphone and WebTransport", async () => {
  await using served = await serveModule(new URL("./browser-facts.ts", import.meta.url));
  await using browser = await startChromium();
  const page = await browser.open(served.url);
  await page.waitForSelector("body[data-ready]");
  const facts = await page.evaluate(() => globalThis.browserFacts());
  expect(facts).toEqual({ secure: true, webTransport: true, microphones: 1, digest: DIGEST_OF_PARLEY });
  expect(browser.complaints).toEqual([]);
});

const DIGEST_OF_PARLEY = "d689dfcd";
