/** A call that comes in is heard where people touched the page and want to hear it, and until it is decided. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type Chromium, startChromium } from "../browser/chromium.ts";
import { Site } from "../browser/page/site.ts";
import { Visitor } from "../browser/page/visitor.ts";

const folder = mkdtempSync(join(tmpdir(), "parley-page-ringing-"));
let site: Site;
let browser: Chromium;
let ada: Visitor;
let bob: Visitor;
let bobs: string;

beforeAll(async () => {
  [site, browser] = await Promise.all([Site.start(), startChromium()]);
  ada = await Visitor.arrive(browser, site.url, folder);
  bob = await Visitor.arrive(browser, site.url, folder);
  bobs = await bob.becomeSomebodyElse();
});
afterEach(() => expect(browser.complaints).toEqual([]));
afterAll(async () => {
  await browser?.close();
  await site?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Counts the notes that a page begins from now on. */
async function countNotes(page: Page): Promise<() => Promise<number>> {
  await page.evaluate(() => {
    const counted = globalThis as unknown as { notes: number };
    counted.notes = 0;
    const { start } = OscillatorNode.prototype;
    OscillatorNode.prototype.start = function (when) {
      counted.notes += 1;
      start.call(this, when);
    };
  });
  return () => page.evaluate(() => (globalThis as unknown as { notes: number }).notes);
}

async function touch(page: Page): Promise<void> {
  await page.getByRole("heading", { level: 1 }).click();
}

/** Ada calls Bob; resolves when his page shows it. */
async function ring(): Promise<void> {
  await ada.ring(bobs);
  await bob.reads("ringing", /is calling/);
}

async function goesOn(notes: () => Promise<number>): Promise<boolean> {
  const before = await notes();
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  return (await notes()) > before;
}

test("it rings again and again until it is declined", async () => {
  const notes = await countNotes(bob.page);
  await ring();
  await expect.poll(notes, { timeout: 10_000 }).toBeGreaterThan(2);
  await bob.press("Decline");
  expect(await ada.outcome()).toEqual(["The call was declined.", "declined"]);
  expect(await goesOn(notes)).toBe(false);
});

test("it is silent on a page that nobody touched, and rings from the first touch on", async () => {
  await bob.page.reload();
  await bob.line("online");
  const notes = await countNotes(bob.page);
  await ring();
  expect(await goesOn(notes)).toBe(false);
  await touch(bob.page);
  await expect.poll(notes, { timeout: 10_000 }).toBeGreaterThan(0);
  await bob.press("Accept");
  await bob.phase("up");
  expect(await goesOn(notes)).toBe(false);
  await bob.hangUp();
  await ada.phase("ended");
});

test("it is silent for people who want it so, also after a reload", async () => {
  await bob.page.reload();
  await bob.line("online");
  await bob.page.getByTestId("who").locator("summary").first().click();
  await bob.page.getByLabel("Ring aloud when somebody calls").uncheck();
  await bob.page.reload();
  await bob.line("online");
  await touch(bob.page);
  const notes = await countNotes(bob.page);
  await ring();
  expect(await goesOn(notes)).toBe(false);
  await bob.press("Decline");
  await ada.phase("failed");
});

test("a guest made up for a tab leaves no key behind when the tab goes by another name", async () => {
  const kept = (page: Page) =>
    page.evaluate(async () => {
      const { promise, resolve, reject } = Promise.withResolvers<string[]>();
      const opening = indexedDB.open("parley");
      opening.onerror = () => reject(opening.error);
      opening.onsuccess = () => {
        const keys = opening.result.transaction("identities").objectStore("identities").getAllKeys();
        keys.onsuccess = () => {
          opening.result.close();
          resolve(keys.result as string[]);
        };
      };
      return await promise;
    });
  const adas = await ada.text("own-name");
  expect((await kept(bob.page)).sort()).toEqual([adas, bobs].sort());
  await bob.page.reload();
  await bob.line("online");
  await bob.introduce("Bob");
  expect((await kept(bob.page)).sort()).toEqual([adas, "Bob"].sort());
  // A name that people chose stays.
  await bob.introduce("Eve");
  expect((await kept(bob.page)).sort()).toEqual([adas, "Bob", "Eve"].sort());
});
