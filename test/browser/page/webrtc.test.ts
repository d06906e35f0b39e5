/** A page that calls by WebRTC: the server's gateway signs for it, and everybody says so. */
import { mkdtempSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { verifier } from "../../../platform/node/sodium.ts";
import { verifyEvidence } from "../../../signaling/evidence/verify.ts";
import { type Chromium, startChromium } from "../chromium.ts";
import { lookAt, PAIRED, readyForLooks } from "./look.ts";
import { melodyIn, writeMicrophone } from "./melody.ts";
import { Site } from "./site.ts";
import { Visitor } from "./visitor.ts";

const folder = mkdtempSync(join(tmpdir(), "parley-page-webrtc-"));
const SUNG = "adbe";
let site: Site;
let browsers: readonly Chromium[] = [];
/** By WebRTC. */
let ada: Visitor;
/** By WebTransport. */
let bob: Visitor;

beforeAll(async () => {
  const microphone = writeMicrophone(join(folder, "microphone.wav"), SUNG);
  site = await Site.start();
  browsers = await Promise.all([
    startChromium({ microphone, goesFirst: true }),
    startChromium({ goesFirst: true }),
  ]);
  const [adas, bobs] = browsers as readonly [Chromium, Chromium];
  [ada, bob] = await Promise.all([
    Visitor.arrive(adas, `${site.url}?carrier=webrtc`, folder),
    Visitor.arrive(bobs, site.url, folder),
  ]);
  await Promise.all([ada.introduce("Ada"), bob.introduce("Bob")]);
});
afterAll(async () => {
  await Promise.all(browsers.map((browser) => browser.close()));
  await site?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const complaints = (): readonly string[] => browsers.flatMap(({ complaints }) => complaints);

test("Echo says back by WebRTC what was spoken, and the page says by whose word", async () => {
  expect(await ada.text("carrier")).toBe("by WebTransport, calls by WebRTC");
  await ada.call("Echo");
  await ada.reads(
    "attested-me",
    /Your page signs no frame and verifies none: .* by the gateway \(\d+ frames, 0 refused\)/,
  );
  await ada.reads("attested-peer", /^Echo signs its frames with a key of its own\.$/);
  await ada.hearsOut();
  await ada.reads("peer-verdict", /Verified by the gateway, not here: \d+ frames/);
  for (const id of ["tamper", "narrow"]) expect(await ada.page.getByTestId(id).isVisible()).toBe(false);
  await ada.press("Mute");
  await ada.reads("me-verdict", /Muted: nothing is sent/);
  await ada.press("Interrupt");
  await ada.hangUp();
  expect(await ada.outcome()).toEqual(["You hung up.", "hung-up"]);
  const heard = melodyIn(await ada.heard());
  expect(heard, `${SUNG} came back as ${heard}`).toBe(SUNG);
  await ada.press("Done");
});

test("a page takes a call by WebRTC, goes on from another network, and sees the picture that the other end opens; one that it makes is taken back while it rings", async () => {
  await bob.ring("Ada");
  await ada.reads("ringing", /Bob is calling/);
  await ada.press("Accept");
  await Promise.all([ada.phase("up"), bob.phase("up")]);
  await ada.reads("peer-verdict", /Verified by the gateway/);
  const heard = await bob.count("heard-verified");
  await ada.page.evaluate(() => globalThis.dispatchEvent(new Event("online")));
  await bob.counts("heard-verified", heard + 50);
  const seen = ada.page.getByTestId("picture-seen");
  expect(await seen.count(), "nothing is shown yet").toBe(0);
  await Promise.all([ada.press("Camera"), bob.press("Camera")]);
  await ada.reads("notices", /Bob does not see your camera: the call began without pictures/);
  await seen.waitFor();
  await ada.reads("rtc-seen", /\d+ × \d+/);
  await bob.press("Camera");
  await ada.hangUp();
  expect(await bob.outcome()).toEqual(["Ada hung up.", "hung-up"]);
  await Promise.all([ada.press("Done"), bob.press("Done")]);
  await ada.ring("Bob");
  await bob.reads("ringing", /Ada is calling/);
  await ada.press("Cancel");
  expect(await ada.outcome()).toEqual(["You took the call back.", "cancelled"]);
  await bob.page.getByRole("button", { name: "Accept" }).waitFor({ state: "detached" });
  await ada.press("Done");
});

test("a page by WebRTC and one by WebTransport see and hear each other, and the evidence says which end a gateway attests", async () => {
  await ada.ring("Bob");
  await bob.reads("ringing-about", /It calls by WebRTC: the gateway .* signed for it/);
  await bob.press("Accept");
  await Promise.all([ada.phase("up"), bob.phase("up")]);
  await bob.reads("attested-peer", /speaks through WebRTC: the gateway .* signs for it/);
  await bob.reads("peer-verdict", /Verified: signed by its gateway's key/);
  await ada.send("Forty pallets?");
  await bob.reads("messages", /Verified, from the other end\s*Forty pallets\?/);
  await bob.send('{"bay": 3}');
  await ada.reads("messages", /by the gateway's word\s*\{\s*"bay": 3\s*\}/);
  await Promise.all([ada.press("Camera"), bob.press("Camera")]);
  for (const one of [ada, bob]) await one.page.getByTestId("picture-seen").waitFor();
  for (const watched of await Promise.all([ada.watches(2), bob.watches(2)]))
    expect(watched.changed).toBeGreaterThan(0);
  await ada.reads("rtc-seen", /\d+ × \d+/);
  await readyForLooks(ada.page);
  expect(await lookAt(ada.page, "webrtc", PAIRED)).toEqual([]);
  await bob.hangUp();
  expect(await ada.outcome()).toEqual(["Bob hung up.", "hung-up"]);
  const subject = await ada.key("own-id");
  for (const one of [ada, bob]) {
    const { report } = verifyEvidence(await readFile(await one.evidence()), undefined, verifier);
    expect(report).toMatchObject({ verdict: "unanchored", faults: [] });
    const attested = report.parties.map(({ role, gateway }) => [role, gateway?.subject]);
    expect(attested).toEqual(
      expect.arrayContaining([
        ["caller", subject],
        ["callee", undefined],
      ]),
    );
    expect(await one.cameraIsOff()).toBe(true);
  }
  expect(complaints()).toEqual([]);
});
