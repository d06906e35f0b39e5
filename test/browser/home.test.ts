/** The browser's platform in a real Chromium. */

import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Chromium, startChromium } from "./chromium.ts";
import type {} from "./home-page.ts";
import { type ModulePage, serveModule } from "./module-page.ts";

let served: ModulePage;
let browser: Chromium;
let page: Page;
/** Complaints that a test looked for. */
let expected = 0;

beforeAll(async () => {
  served = await serveModule(new URL("./home-page.ts", import.meta.url));
  browser = await startChromium();
  page = await browser.open(served.url);
  await page.waitForSelector("body[data-ready]");
});

afterAll(async () => {
  await browser?.close();
  await served?.[Symbol.asyncDispose]();
});

test("an identity is made, signs, cannot be read, and is the same after a reload", async () => {
  const made = await page.evaluate(() => globalThis.home.identity("ada"));
  expect(made).toMatchObject({
    kind: "webcrypto",
    extractable: false,
    exported: "InvalidAccessError",
    verified: true,
    forged: false,
  });
  await page.reload();
  await page.waitForSelector("body[data-ready]");
  expect(await page.evaluate(() => globalThis.home.identity("ada"))).toEqual(made);
  expect((await page.evaluate(() => globalThis.home.identity("bob"))).agentId).not.toBe(made.agentId);
});

test("a name opened from several sides at once is one agent", async () => {
  expect(await page.evaluate(() => globalThis.home.together("carol"))).toBe(1);
});

test("without Ed25519 in WebCrypto a seed signs", async () => {
  expect(await page.evaluate(() => globalThis.home.seedKeys())).toEqual([
    ["seed", true],
    ["seed", true],
  ]);
  expect(await page.evaluate(() => globalThis.home.fresh())).toBe(64);
});

test("Opus carries a tone, and conceals a frame that is lost", async () => {
  const { samples, share } = await page.evaluate(() => globalThis.home.opus());
  expect(samples).toBe(48_000);
  expect(share).toBeGreaterThan(0.8);
});

test("timers fire in order of their instants, never early", async () => {
  const { early, late, cancelled } = await page.evaluate(() => globalThis.home.timers());
  expect(early).toBe(0);
  expect(late).toBeLessThan(250);
  expect(cancelled).toBe(false);
});

test("the loudspeaker plays what it is given, and is silent once it is flushed", async () => {
  const { loudest, after, stats } = await page.evaluate(() => globalThis.home.loudspeaker());
  expect(loudest).toBeGreaterThan(0.4);
  expect(after).toBeLessThan(0.001);
  expect(stats.waiting).toBe(0);
  expect(stats.played).toBeGreaterThan(500);
  expect(stats.flushed).toBeGreaterThan(100);
});

test.each([48_000, 8_000])(
  "the microphone gives blocks of 10 ms at %i Hz until it is closed",
  async (rate) => {
    const heard = await page.evaluate((clockRate) => globalThis.home.microphone(clockRate), rate);
    expect(heard).toMatchObject({ blocks: 150, lengths: [rate / 100], live: true, after: false });
    expect(heard.loudest).toBeGreaterThan(1_000);
  },
);

test("a microphone that is not there is said by name", async () => {
  expect(await page.evaluate(() => globalThis.home.noMicrophone())).toBe("device-unavailable");
});

test.each([
  ["takes scripts from blob: and wasm", "script-src 'self' 'unsafe-inline' blob: 'wasm-unsafe-eval'", 0],
  ["refuses workers, which leaves the page's own timers", "worker-src 'none'", 1],
])("on a page whose policy %s the clock runs and the loudspeaker plays", async (_, policy, refusals) => {
  const strict = await browser.context.newPage();
  const refused: string[] = [];
  strict.on("console", (message) => {
    if (message.type() === "error") refused.push(message.text());
  });
  await strict.route(served.url, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, headers: { ...response.headers(), "content-security-policy": policy } });
  });
  await strict.goto(served.url);
  await strict.waitForSelector("body[data-ready]");
  expect(await strict.evaluate(() => globalThis.home.timers())).toMatchObject({ early: 0, cancelled: false });
  expect((await strict.evaluate(() => globalThis.home.identity("ada"))).verified).toBe(true);
  expect((await strict.evaluate(() => globalThis.home.loudspeaker())).loudest).toBeGreaterThan(0.4);
  expect(refused).toHaveLength(refusals);
  expected += refusals;
  await strict.close();
});

test("nothing else complained", () => {
  expect(browser.complaints).toHaveLength(expected);
});
