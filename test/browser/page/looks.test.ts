/** How the page looks and reads: no finding of axe, contrast included, in every state, light and dark, wide and narrow. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Agent, createIdentity } from "../../../agent/node.ts";
import { type Chromium, startChromium } from "../chromium.ts";
import { lookAt, PAIRED, readyForLooks } from "./look.ts";
import { Site } from "./site.ts";
import { Visitor } from "./visitor.ts";

const folder = mkdtempSync(join(tmpdir(), "parley-page-looks-"));
let site: Site;
let browser: Chromium;
let ada: Visitor;
let bob: Agent;

beforeAll(async () => {
  [site, browser] = await Promise.all([Site.start(), startChromium()]);
  bob = await Agent.connect(site.server.url, {
    identity: createIdentity({ name: "Bob" }).identity,
    certificateHashes: [site.server.certificateHash],
  });
  // Whoever calls Bob waits.
  bob.onCall(
    (incoming) => new Promise((resolve) => incoming.cancelled.addEventListener("abort", () => resolve())),
  );
  ada = await Visitor.arrive(browser, site.url, folder);
  await readyForLooks(ada.page);
});
afterAll(async () => {
  await bob?.close();
  await browser?.close();
  await site?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** What axe finds wrong with the page as it is now: wide and light, narrow and dark. `npm run test:long` looks at every pairing. */
const look = (state: string): Promise<readonly string[]> => lookAt(ada.page, state, PAIRED);

test("idle", async () => {
  await ada.page.getByTestId("who").locator("summary").first().click();
  expect(await look("idle")).toEqual([]);
  await ada.page.keyboard.press("Escape");
});

test("called, and calling", async () => {
  const calling = new AbortController();
  const call = bob.call(await ada.key("own-id"), { signal: calling.signal }).catch(() => {});
  await ada.reads("ringing", /Bob is calling/);
  expect(await look("called")).toEqual([]);
  calling.abort();
  await call;
  await ada.ring("Bob");
  await ada.phase("ringing");
  expect(await look("calling")).toEqual([]);
  await ada.press("Cancel");
  await ada.phase("failed");
  expect(await look("failed")).toEqual([]);
  await ada.press("Done");
});

test("in a call with everything on it, and after it", async () => {
  await ada.call("Echo");
  await ada.send('{"bay": 3, "pallets": [40, 41]}');
  await ada.reads("messages", /"echo"/);
  await ada.press("Tamper");
  await ada.reads("sent-reasons", /signature/);
  await ada.press("Narrow my scope");
  await ada.reads("records", /ADJUST/);
  await ada.page.getByTestId("records").locator("summary").first().click();
  await ada.counts("sent-refused", 50);
  expect(await look("call")).toEqual([]);
  await ada.hangUp();
  expect(await look("ended")).toEqual([]);
  expect(browser.complaints).toEqual([]);
});

test("the keyboard alone makes a call and ends it", async () => {
  await ada.press("Done");
  await ada.phase("idle");
  await ada.page.getByTestId("call-first").focus();
  await ada.page.keyboard.press("Enter");
  await ada.phase("up");
  const reached: string[] = [];
  for (let tab = 0; tab < 12 && !reached.includes("Hang up"); tab++) {
    await ada.page.keyboard.press("Tab");
    reached.push(await ada.page.evaluate(() => document.activeElement?.textContent ?? ""));
  }
  expect(reached).toEqual(
    expect.arrayContaining(["Mute", "Camera", "Screen", "Interrupt", "Tamper", "Narrow my scope", "Hang up"]),
  );
  await ada.page.keyboard.press("Enter");
  await ada.phase("ended");
});
