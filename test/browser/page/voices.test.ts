/** One person's page calls another's, and each hears what the other sang. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Chromium, startChromium } from "../chromium.ts";
import { melodyIn, singingSeconds, writeMicrophone } from "./melody.ts";
import { Site } from "./site.ts";
import { Visitor } from "./visitor.ts";

const folder = mkdtempSync(join(tmpdir(), "parley-page-voices-"));
const ADAS = "adbe";
const BOBS = "hgca";
let site: Site;
let browsers: readonly Chromium[] = [];
let ada: Visitor;
let bob: Visitor;

beforeAll(async () => {
  const microphones = [
    writeMicrophone(join(folder, "ada.wav"), ADAS),
    // Bob waits for Ada: what both sing at once the browser takes for an echo of the loudspeaker.
    writeMicrophone(join(folder, "bob.wav"), BOBS, singingSeconds(ADAS) + 1),
  ];
  site = await Site.start();
  browsers = await Promise.all(
    microphones.map((microphone) => startChromium({ microphone, goesFirst: true })),
  );
  const arrivals = browsers.map((browser) => Visitor.arrive(browser, site.url, folder));
  [ada, bob] = (await Promise.all(arrivals)) as [Visitor, Visitor];
  await Promise.all([ada.introduce("Ada"), bob.introduce("Bob")]);
});
afterAll(async () => {
  await Promise.all(browsers.map((browser) => browser.close()));
  await site?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function exchangeData(): Promise<void> {
  await ada.send("Forty pallets?");
  await bob.reads("messages", /Verified, from the other end\s*Forty pallets\?/);
  await bob.send('{"bay": 3}');
  await ada.reads("messages", /Verified, from the other end\s*\{\s*"bay": 3\s*\}/);
}

test("voice and data go both ways, and both are told who hung up", async () => {
  await ada.ring("Bob");
  await bob.reads("ringing", /Ada is calling/);
  await bob.press("Accept");
  await Promise.all([ada.phase("up"), bob.phase("up")]);
  expect(await ada.key("peer-key")).toBe(await bob.key("me-key"));
  // Ada is done first, then Bob, however late their browsers gave the pages their microphones.
  await Promise.all([bob.hearsOut(), ada.hearsOut(), exchangeData()]);
  for (const one of [ada, bob]) expect(await one.refusals()).toEqual([]);
  await bob.hangUp();
  expect(await bob.outcome()).toEqual(["You hung up.", "hung-up"]);
  expect(await ada.outcome()).toEqual(["Bob hung up.", "hung-up"]);

  const [byAda, byBob] = await Promise.all([ada.heard(), bob.heard()]);
  for (const [one, sung, recording] of [
    [ada, BOBS, byAda],
    [bob, ADAS, byBob],
  ] as const) {
    const heard = melodyIn(recording);
    const how = `${sung} was heard as ${heard}. ${await one.hearing()}`;
    expect(heard, how).toBe(sung);
  }
  expect(browsers.flatMap(({ complaints }) => complaints)).toEqual([]);
});
