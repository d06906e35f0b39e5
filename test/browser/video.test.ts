/** The page's encoders and decoders in Chromium, with nothing between them. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Chromium, startChromium } from "./chromium.ts";
import { type ModulePage, serveModule } from "./module-page.ts";
import type { LoopAsked, LoopReport } from "./video-page.ts";

let served: ModulePage;
let browser: Chromium;
beforeAll(async () => {
  [served, browser] = await Promise.all([
    serveModule(new URL("./video-page.ts", import.meta.url)),
    startChromium(),
  ]);
});
afterAll(async () => {
  await browser?.close();
  await served?.[Symbol.asyncDispose]();
});

async function loop(asked: LoopAsked): Promise<LoopReport> {
  const page = await browser.open(served.url);
  await page.waitForSelector("body[data-ready]");
  const report = await page.evaluate((asked) => globalThis.video.loop(asked), asked);
  await page.close();
  return report;
}

const [GOOD, LESS, SMALL] = [
  { bitsPerSecond: 800_000, maxHeight: 270 },
  { bitsPerSecond: 200_000, maxHeight: 270 },
  { bitsPerSecond: 80_000, maxHeight: 180 },
];

test("the camera goes through VP8 at a rate and a size that change, a broken unit costs one key frame", async () => {
  const settings = [GOOD, LESS, SMALL];
  const report = await loop({ source: "camera", codec: "vp8", pictures: 8, settings, spoilt: true });
  expect(report).toMatchObject({ heights: [270, 270, 180], layers: [0, 1], restarts: 1, keysAsked: 1 });
  // The first, after the broken one, and where the size changed; a lower rate costs none.
  expect(report.keys).toBe(3);
  expect(report.spread).toBeGreaterThan(60);
  expect(report.changed).toBeGreaterThan(report.shown / 2);
  expect(report.liveAfter).toBe(false);
});

test.each(["vp9", "av1"] as const)("the camera goes through %s in two layers", async (codec) => {
  const report = await loop({ source: "camera", codec, pictures: 5, settings: [SMALL] });
  expect(report).toMatchObject({ heights: [180], layers: [0, 1], restarts: 0, keys: 1 });
});

test("the screen goes through VP8", async () => {
  const report = await loop({ source: "screen", codec: "vp8", pictures: 3, settings: [GOOD] });
  expect(report).toMatchObject({ heights: [270], restarts: 0, liveAfter: false });
  expect(report.spread).toBeGreaterThan(60);
  expect(browser.complaints).toEqual([]);
});
