/** An agent is in one place at a time: a second tab says so, and people choose. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type Chromium, startChromium } from "../chromium.ts";
import { Site } from "./site.ts";
import { Visitor } from "./visitor.ts";

const folder = mkdtempSync(join(tmpdir(), "parley-page-tabs-"));
let site: Site;
let browser: Chromium;
let first: Visitor;
let second: Visitor;

beforeAll(async () => {
  [site, browser] = await Promise.all([Site.start(), startChromium()]);
  first = await Visitor.arrive(browser, site.url, folder);
});
afterEach(() => expect(browser.complaints).toEqual([]));
afterAll(async () => {
  await browser?.close();
  await site?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("a second tab is told that its agent is online in another one, and takes over", async () => {
  await first.call("Echo");
  const name = await first.text("own-name");
  second = await Visitor.open(browser, site.url, folder);
  await second.line("elsewhere");
  await second.reads("standing", new RegExp(`online in another tab.*${name}`, "s"));
  await first.phase("up");
  await second.press("Take over here");
  await second.line("online");
  expect(await second.text("own-name")).toBe(name);
  await first.line("elsewhere");
  expect(await first.outcome()).toEqual(["You went offline here.", "agent-closed"]);
});

test("a tab that becomes somebody else is another agent, whom the first can call", async () => {
  const name = await first.text("own-name");
  await first.press("Be somebody else in this tab");
  await first.line("online");
  const guest = await first.text("own-name");
  expect(guest).not.toBe(name);
  expect(await first.key("own-id")).not.toBe(await second.key("own-id"));
  await second.ring(guest);
  await first.press("Accept");
  await Promise.all([first.phase("up"), second.counts("heard-verified", 10)]);
  await second.hangUp();
  expect(await first.outcome()).toEqual([`${name} hung up.`, "hung-up"]);
  await first.page.reload();
  await first.line("online");
  expect(await first.text("own-name")).toBe(guest);
});
