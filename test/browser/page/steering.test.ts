/** The buttons that make the point: tamper, narrow, interrupt; and the evidence of it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { encodeTrustFile } from "../../../src/trust-file.ts";
import { parley } from "../../command-line.ts";
import { pause } from "../../waiting.ts";
import { type Chromium, startChromium } from "../chromium.ts";
import { Site } from "./site.ts";
import { Visitor } from "./visitor.ts";

const folder = mkdtempSync(join(tmpdir(), "parley-page-steering-"));
let site: Site;
let browser: Chromium;
let ada: Visitor;

beforeAll(async () => {
  [site, browser] = await Promise.all([Site.start(), startChromium()]);
  ada = await Visitor.arrive(browser, site.url, folder);
});
afterEach(() => expect(browser.complaints).toEqual([]));
afterAll(async () => {
  await browser?.close();
  await site?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Number of the terms in force, as the page shows it. */
async function termsShown(): Promise<number> {
  return Number(/terms (\d+)/.exec(await ada.text("call-facts"))?.[1]);
}

test("a flipped bit is refused, and so is every frame outside a narrowed scope; all of it is in the evidence", async () => {
  await ada.call("Echo");
  await ada.counts("sent-sent", 25);
  await ada.press("Tamper");
  await ada.reads("notices", /Frame \d+ of yours was refused by the server, reason signature/);
  await ada.reads("sent-reasons", /^Refused for signature \(1\): the signature did not hold\.$/);
  const before = await ada.count("sent-sent");
  await ada.counts("sent-sent", before + 25);
  expect(await ada.count("sent-refused")).toBe(1);

  expect(await ada.text("me-scope")).toContain("audio:transmit");
  const terms = await termsShown();
  await ada.press("Narrow my scope");
  await ada.reads("notices", /Frame \d+ of yours was refused by the server, reason scope/);
  await ada.counts("sent-refused", 25);
  await ada.reads("sent-reasons", /scope \(\d+\): the scope does not allow it/);
  await ada.reads("me-verdict", /Outside your scope: the server refuses/);
  await expect.poll(() => termsShown(), { timeout: 20_000 }).toBeGreaterThan(terms);
  expect(await ada.text("me-scope")).not.toContain("audio:transmit");
  await ada.reads("records", /ADJUST/);
  const inTheEnd = await termsShown();
  await ada.hangUp();

  const evidence = await ada.evidence();
  const trust = join(folder, "trust.json");
  const agentIds = [site.server.agentId, await ada.key("me-id"), await ada.key("peer-id")];
  writeFileSync(trust, encodeTrustFile({ issuerKeys: [], agentIds }));
  const [alone, anchored] = await Promise.all([
    parley("verify", evidence),
    parley("verify", evidence, "--trust", trust),
  ]);
  expect([alone.code, anchored.code]).toEqual([3, 0]);
  // The voice may follow a busy machine by further terms, before and after: the narrowing made some in between.
  const narrowed = /^speaker-signed +caller: gave up scope, from terms (\d+) on keeps /m.exec(
    anchored.stdout,
  );
  expect(Number(narrowed?.[1])).toBeGreaterThan(terms);
  expect(Number(narrowed?.[1])).toBeLessThanOrEqual(inTheEnd);
  expect(anchored.stdout).toMatch(/"refused":\{"scope":\d+,("session-state":\d+,)?"signature":1\}/);
});

test("Reader is silent as soon as it is interrupted", async () => {
  await ada.press("Done");
  await ada.call("Reader");
  await ada.counts("heard-verified", 50);
  await ada.press("Interrupt");
  await ada.reads("notices", /You interrupted Reader/);
  await ada.reads("records", /interrupt/);
  const heard = await ada.count("heard-verified");
  await pause(1_000);
  expect(await ada.count("heard-verified")).toBe(heard);
  await ada.hangUp();
  const { samples, sampleRate } = await ada.heard();
  // Its text takes nine seconds.
  expect(samples.length / sampleRate).toBeLessThan(6);
});
