/** The camera, to Echo and back. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type Chromium, startChromium } from "../chromium.ts";
import { lookAt, PAIRED, readyForLooks } from "./look.ts";
import { Site } from "./site.ts";
import { Visitor } from "./visitor.ts";

const folder = mkdtempSync(join(tmpdir(), "parley-page-pictures-"));
let browser: Chromium;

beforeAll(async () => {
  browser = await startChromium({ goesFirst: true });
});
afterEach(() => expect(browser.complaints).toEqual([]));
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

test("the camera goes to Echo and comes back: moving, verified, and beside the voice", async () => {
  const site = await Site.start();
  const ada = await Visitor.arrive(browser, site.url, folder);
  await ada.call("Echo");
  await ada.press("Camera");
  await ada.reads("picture-mark", /Verified: unit \d+, signed by Echo/);
  await ada.counts("seen-verified", 30);
  const { spread, changed } = await ada.watches(5);
  expect(spread).toBeGreaterThan(60);
  expect(changed).toBe(4);
  expect(await ada.text("seen-size")).toMatch(/^\d+ × \d+, \d+ a second$/);
  expect(await ada.text("shown-keys")).toMatch(/^[1-9]\d*, \d+$/);
  expect(await ada.count("seen-refused")).toBe(0);
  expect(await ada.count("shown-refused")).toBe(0);
  const spoken = await ada.count("sent-sent");
  await readyForLooks(ada.page);
  expect(await lookAt(ada.page, "pictures", PAIRED)).toEqual([]);
  await ada.press("Camera");
  await ada.page.getByTestId("picture-seen").waitFor({ state: "detached" });
  await ada.counts("sent-sent", spoken + 50);
  expect(await ada.refusals()).toEqual([]);
  await ada.hangUp();
  expect(await ada.cameraIsOff()).toBe(true);
  await ada.page.close();
  await site.stop();
});
