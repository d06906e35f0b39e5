/** Pictures from page to page over either carrier, and through a network that becomes narrow and wide again. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type Chromium, startChromium } from "../browser/chromium.ts";
import { Site } from "../browser/page/site.ts";
import { Visitor } from "../browser/page/visitor.ts";

const folder = mkdtempSync(join(tmpdir(), "parley-page-pictures-"));
let browser: Chromium;
/** Of the other end: a tab behind another one paints nothing. */
let other: Chromium;

beforeAll(async () => {
  [browser, other] = await Promise.all([startChromium(), startChromium()]);
});
afterEach(() => expect([...browser.complaints, ...other.complaints]).toEqual([]));
afterAll(async () => {
  await Promise.all([browser?.close(), other?.close()]);
  rmSync(folder, { recursive: true, force: true });
});

test.each([
  ["WebTransport", {}],
  ["WebSocket", { webTransport: false }],
] as const)("one page shows its camera to another over %s", async (carrier, settings) => {
  const site = await Site.start(settings);
  const ada = await Visitor.arrive(browser, site.url, folder);
  const bob = await Visitor.arrive(other, site.url, folder);
  expect(await ada.text("carrier")).toBe(`by ${carrier}`);
  const name = await bob.text("own-name");
  await ada.ring(name);
  await bob.press("Accept");
  await Promise.all([ada.phase("up"), bob.phase("up")]);
  await bob.press("Camera");
  await ada.reads("picture-mark", new RegExp(`Verified: unit \\d+, signed by ${name}`));
  const { spread, changed } = await ada.watches(3);
  expect(spread).toBeGreaterThan(60);
  expect(changed).toBe(2);
  expect(await ada.count("seen-refused")).toBe(0);
  await ada.hangUp();
  await bob.phase("ended");
  await Promise.all([ada.page.close(), bob.page.close()]);
  await site.stop();
});

test("through 0.3 Mbit/s the picture becomes less and the voice stays, and the picture recovers", async () => {
  const site = await Site.start();
  const ada = await Visitor.arrive(browser, site.url, folder);
  await ada.call("Echo");
  await ada.press("Camera");
  const wanted = async () => {
    const text = await ada.text("shown-wanted");
    const [, rate = "0", unit] = /^([\d.]+) ([km])bit/i.exec(text) ?? [];
    return Number(rate) * (unit === "M" ? 1_000 : 1);
  };
  const reaches = (least: number, most: number) =>
    expect
      .poll(wanted, { interval: 200, timeout: 60_000 })
      .toSatisfy((rate: number) => rate > least && rate < most);
  // The camera offers some 200 kbit/s, and no more than 1.67 times what is offered is found.
  await reaches(290, Number.POSITIVE_INFINITY);
  await ada.page.getByTestId("trouble").selectOption("narrow");
  await ada.reads("notices", /Network trouble: 0\.3 Mbit\/s/);
  await reaches(-1, 220);
  const said = await ada.count("sent-sent");
  await ada.counts("sent-sent", said + 200);
  expect(await ada.count("sent-unsent")).toBe(0);
  await ada.page.getByTestId("trouble").selectOption("none");
  await reaches(290, Number.POSITIVE_INFINITY);
  expect(await ada.refusals()).toEqual([]);
  await ada.hangUp();
  await ada.page.close();
  await site.stop();
});

test("a picture is closed and another one opened while the voice goes on", async () => {
  const site = await Site.start();
  const ada = await Visitor.arrive(browser, site.url, folder);
  await ada.call("Echo");
  await ada.press("Camera");
  await ada.reads("picture-mark", /Verified: unit \d+, signed by Echo/);
  const spoken = await ada.count("sent-sent");
  await ada.press("Camera");
  await ada.page.getByTestId("picture-seen").waitFor({ state: "detached" });
  await ada.press("Screen");
  await ada.page.getByTestId("picture-own-screen").waitFor();
  const seen = await ada.count("seen-verified");
  await ada.counts("seen-verified", seen + 10);
  await ada.reads("picture-mark", /Verified: unit \d+, signed by Echo/);
  await ada.reads("records", /terms changed/);
  await ada.counts("sent-sent", spoken + 50);
  expect(await ada.refusals()).toEqual([]);
  await ada.hangUp();
  expect(await ada.cameraIsOff()).toBe(true);
  await ada.page.close();
  await site.stop();
});
