/** One person's page calls another's. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type Chromium, startChromium } from "../chromium.ts";
import { melodyIn, writeMicrophone } from "./melody.ts";
import { Site } from "./site.ts";
import { Visitor } from "./visitor.ts";

const folder = mkdtempSync(join(tmpdir(), "parley-page-two-"));
const ADAS = "adbehg";
const BOBS = "hgcfab";
let site: Site;
let browsers: readonly Chromium[] = [];
let ada: Visitor;
let bob: Visitor;

beforeAll(async () => {
  site = await Site.start();
  const microphones = [
    writeMicrophone(join(folder, "ada.wav"), ADAS),
    // Bob waits for Ada: what both say at once the browser takes for an echo of the loudspeaker.
    writeMicrophone(join(folder, "bob.wav"), BOBS, 3.5),
  ];
  browsers = await Promise.all(microphones.map((microphone) => startChromium({ microphone })));
  const [adas, bobs] = browsers as [Chromium, Chromium];
  [ada, bob] = await Promise.all([
    Visitor.arrive(adas, site.url, folder),
    Visitor.arrive(bobs, site.url, folder),
  ]);
  await Promise.all([ada.introduce("Ada"), bob.introduce("Bob")]);
});
afterEach(() => expect(browsers.flatMap(({ complaints }) => complaints)).toEqual([]));
afterAll(async () => {
  await Promise.all(browsers.map((browser) => browser.close()));
  await site?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("a call that rings is declined, and one that is taken back stops ringing", async () => {
  await ada.ring("Bob");
  await ada.phase("ringing");
  await bob.reads("ringing", /Ada is calling/);
  await bob.press("Decline");
  expect(await ada.outcome()).toEqual(["The call was declined.", "declined"]);
  await bob.phase("idle");
  await ada.press("Call again");
  await bob.reads("ringing", /Ada is calling/);
  await ada.press("Cancel");
  expect(await ada.outcome()).toEqual(["You took the call back.", "cancelled"]);
  await bob.page.getByRole("button", { name: "Accept" }).waitFor({ state: "detached" });
});

test("voice and data go both ways, and both are told who hung up", async () => {
  await ada.press("Call again");
  await bob.reads("ringing", /Ada is calling/);
  await bob.press("Accept");
  await Promise.all([ada.phase("up"), bob.phase("up")]);
  expect(await ada.key("peer-key")).toBe(await bob.key("me-key"));
  await ada.send("Forty pallets?");
  await bob.reads("messages", /Verified, from the other end\s*Forty pallets\?/);
  await bob.send('{"bay": 3}');
  await ada.reads("messages", /Verified, from the other end\s*\{\s*"bay": 3\s*\}/);
  // Bob is done after five and a half seconds.
  await Promise.all([ada.counts("heard-verified", 300), bob.counts("heard-verified", 300)]);
  for (const one of [ada, bob])
    expect([await one.text("heard-reasons"), await one.text("sent-reasons")]).toEqual(["", ""]);
  await bob.hangUp();
  expect(await bob.outcome()).toEqual(["You hung up.", "hung-up"]);
  expect(await ada.outcome()).toEqual(["Bob hung up.", "hung-up"]);

  const [byAda, byBob] = await Promise.all([ada.heard(), bob.heard()]);
  expect(melodyIn(byAda)).toBe(BOBS);
  expect(melodyIn(byBob)).toBe(ADAS);
});
