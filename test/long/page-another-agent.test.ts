/** A tab of the page that becomes another agent than the others. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Chromium, startChromium } from "../browser/chromium.ts";
import { Site } from "../browser/page/site.ts";
import { Visitor } from "../browser/page/visitor.ts";

const folder = mkdtempSync(join(tmpdir(), "parley-page-another-"));
let site: Site;
let browser: Chromium;

beforeAll(async () => {
  [site, browser] = await Promise.all([Site.start(), startChromium()]);
});
afterAll(async () => {
  await browser?.close();
  await site?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("a tab that becomes somebody else is another agent, whom the other can call", async () => {
  const first = await Visitor.arrive(browser, site.url, folder);
  const second = await Visitor.arrive(browser, site.url, folder);
  const name = await first.text("own-name");
  const guest = await first.becomeSomebodyElse();
  expect(await first.key("own-id")).not.toBe(await second.key("own-id"));
  await second.ring(guest);
  await first.press("Accept");
  await Promise.all([first.phase("up"), second.counts("heard-verified", 10)]);
  await second.hangUp();
  expect(await first.outcome()).toEqual([`${name} hung up.`, "hung-up"]);
  await first.page.reload();
  await first.line("online");
  expect(await first.text("own-name")).toBe(guest);
  expect(browser.complaints).toEqual([]);
});
