/** From the page to Echo and back, over each carrier: what was spoken is heard. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Chromium, startChromium } from "../chromium.ts";
import { melodyIn, missing, SPARED, writeMicrophone } from "./melody.ts";
import { Site } from "./site.ts";
import { Visitor } from "./visitor.ts";

const SUNG = "adbehg";
const folder = mkdtempSync(join(tmpdir(), "parley-page-echo-"));
let browser: Chromium;

beforeAll(async () => {
  browser = await startChromium({ microphone: writeMicrophone(join(folder, "microphone.wav"), SUNG) });
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

// One after the other: how fast the page is at it is judged.
test.each([
  { carrier: "WebTransport", why: /^WebTransport works here/, settings: {}, reloads: false },
  // UDP cannot be had: nobody tells the page.
  {
    carrier: "WebSocket",
    why: /^This server offers no WebTransport/,
    settings: { webTransport: false },
    reloads: true,
  },
])(
  "Echo says back over $carrier what was spoken, to a page that was reloaded in the call: $reloads",
  async ({ carrier, why, settings, reloads }) => {
    const site = await Site.start(settings);
    const ada = await Visitor.arrive(browser, site.url, folder);
    expect(await ada.text("carrier")).toBe(`by ${carrier}`);
    await ada.page.getByTestId("carrier").click();
    expect(await ada.text("carrier-why")).toMatch(why);

    await ada.call("Echo");
    if (reloads) {
      await ada.counts("sent-sent", 25);
      await ada.page.reload();
      // Her microphone is asked for again, and sings from the beginning.
      await ada.phase("up");
      await ada.reads("notices", /This page was reloaded/);
    }
    const timing = await ada.timing();
    await ada.reads("peer-verdict", /Verified: signed by this key/);
    await ada.reads("peer-verdict", /Silent: nothing to verify/);
    expect(await ada.count("heard-verified")).toBeGreaterThan(80);
    expect(await ada.count("sent-sent")).toBeGreaterThan(200);
    expect(await ada.refusals()).toEqual([]);
    const { framesPerSecond, longestTask } = await timing();
    // The page signs as fast as the microphone speaks, and never keeps people waiting for it.
    expect(framesPerSecond).toBeGreaterThan(45);
    expect(longestTask).toBeLessThan(500);
    await ada.hangUp();
    expect(await ada.outcome()).toEqual(["You hung up.", "hung-up"]);

    const heard = melodyIn(await ada.heard());
    expect(missing(SUNG, heard), `${SUNG} came back as ${heard}`).toBeLessThanOrEqual(SPARED);
    expect(browser.complaints).toEqual([]);
    await ada.page.close();
    await site.stop();
  },
);
