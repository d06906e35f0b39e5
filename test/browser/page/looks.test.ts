/** How the page looks and reads: no serious finding of axe, contrast included, in every state, light and dark, wide and narrow. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { AxeResults, RunOptions } from "axe-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Agent, createIdentity } from "../../../agent/node.ts";
import { type Chromium, startChromium } from "../chromium.ts";
import { Site } from "./site.ts";
import { Visitor } from "./visitor.ts";

/** Screenshots of each run, for people to look at. */
const SHOTS = fileURLToPath(new URL("../../../out/browser", import.meta.url));
/** Given to the debugger rather than to the page, whose policy takes no scripts but its own. */
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const WIDTHS = [1440, 390];
const SCHEMES = ["light", "dark"] as const;

const folder = mkdtempSync(join(tmpdir(), "parley-page-looks-"));
let site: Site;
let browser: Chromium;
let ada: Visitor;
let bob: Agent;

beforeAll(async () => {
  mkdirSync(SHOTS, { recursive: true });
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
  await ada.page.evaluate(AXE);
});
afterAll(async () => {
  await bob?.close();
  await browser?.close();
  await site?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Looks at the page as it is now; gives what axe finds wrong, and leaves screenshots. */
async function look(state: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const width of WIDTHS) {
    await ada.page.setViewportSize({ width, height: 900 });
    for (const colorScheme of SCHEMES) {
      await ada.page.emulateMedia({ colorScheme });
      const how = `${state}-${width}-${colorScheme}`;
      await ada.page.screenshot({ path: join(SHOTS, `${how}.png`), fullPage: true });
      const { violations, passes } = await ada.page.evaluate(
        (options) => (globalThis as unknown as { axe: Axe }).axe.run(document, options),
        { resultTypes: ["violations"] } satisfies RunOptions,
      );
      // Contrast was really looked at.
      expect(passes.map(({ id }) => id)).toContain("color-contrast");
      for (const { impact, id, nodes } of violations)
        found.push(`${how}: ${impact} ${id}: ${nodes.map(({ html }) => html).join(" ")}`);
    }
  }
  await ada.page.setViewportSize({ width: 1280, height: 900 });
  return found;
}

interface Axe {
  run(context: Document, options: RunOptions): Promise<AxeResults>;
}

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
    expect.arrayContaining(["Mute", "Interrupt", "Tamper", "Narrow my scope", "Hang up"]),
  );
  await ada.page.keyboard.press("Enter");
  await ada.phase("ended");
});
