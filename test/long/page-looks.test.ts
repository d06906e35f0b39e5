/** How the page looks where a call is in another tab or its other end is away, and in every pairing of width and colour scheme. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Chromium, startChromium } from "../browser/chromium.ts";
import { EVERY_VIEW, lookAt, readyForLooks } from "../browser/page/look.ts";
import { Site } from "../browser/page/site.ts";
import { Visitor } from "../browser/page/visitor.ts";

const folder = mkdtempSync(join(tmpdir(), "parley-page-looks-"));
let site: Site;
let browser: Chromium;
let ada: Visitor;

beforeAll(async () => {
  [site, browser] = await Promise.all([Site.start(), startChromium()]);
  ada = await Visitor.arrive(browser, site.url, folder);
  await readyForLooks(ada.page);
});
afterAll(async () => {
  await browser?.close();
  await site?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const look = (state: string): Promise<readonly string[]> => lookAt(ada.page, state, EVERY_VIEW);

test("a call in another tab, and one whose other end is away", async () => {
  const talking = await Visitor.arrive(browser, site.url, folder);
  await talking.call("Echo");
  await ada.reads("elsewhere", /You are talking with Echo in another tab/);
  expect(await look("elsewhere")).toEqual([]);
  await talking.page.close();
  await ada.reads("elsewhere", /Your call with Echo is waiting/);
  const other = await Visitor.arrive(browser, site.url, folder);
  await other.becomeSomebodyElse();
  await other.ring(await ada.text("own-name"));
  await ada.press("Accept");
  await ada.counts("heard-verified", 50);
  await other.page.close();
  await ada.reads("call-facts", /Waiting for Guest/);
  await ada.counts("heard-away", 50);
  expect(await look("away")).toEqual([]);
  await ada.hangUp();
  await ada.press("Done");
});

test("idle, in a call, and after it", async () => {
  expect(await look("idle")).toEqual([]);
  await ada.call("Echo");
  await ada.send('{"bay": 3, "pallets": [40, 41]}');
  await ada.reads("messages", /"echo"/);
  expect(await look("call")).toEqual([]);
  await ada.hangUp();
  expect(await look("ended")).toEqual([]);
  expect(browser.complaints).toEqual([]);
});
