/** From the page to Echo and back: what was sung is heard. */
import { expect } from "vitest";
import type { ServerSettings } from "../../../src/config.ts";
import type { Chromium } from "../chromium.ts";
import { melodyIn } from "./melody.ts";
import { Site } from "./site.ts";
import { Visitor } from "./visitor.ts";

/** What the browser's microphone gives. */
export const SUNG = "adbe";

export interface Singing {
  readonly carrier: "WebTransport" | "WebSocket";
  /** What the page says about its choice. */
  readonly why: RegExp;
  readonly settings: ServerSettings;
  /** Whether the page is reloaded in the middle of the call. */
  readonly reloads: boolean;
}

/** Sings to Echo through a microphone that gives {@link SUNG}, and hears it come back. Downloads go to `folder`. */
export async function singToEcho(
  browser: Chromium,
  folder: string,
  { carrier, why, settings, reloads }: Singing,
): Promise<void> {
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
  // The page signs about as fast as the microphone speaks, and never keeps people waiting for it, on a busy machine too.
  expect(framesPerSecond).toBeGreaterThan(30);
  expect(longestTask).toBeLessThan(1_000);
  await ada.hangUp();
  expect(await ada.outcome()).toEqual(["You hung up.", "hung-up"]);

  const heard = melodyIn(await ada.heard());
  const how = `${SUNG} came back as ${heard}. ${await ada.hearing()}`;
  expect(heard, how).toBe(SUNG);
  expect(browser.complaints).toEqual([]);
  await ada.page.close();
  await site.stop();
}
