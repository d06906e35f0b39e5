/** Tabs of one agent: calls ring in all of them, one has each call, and another can go on with it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Agent, createIdentity, type ParleyError } from "../../../agent/node.ts";
import { utterance } from "../../scenario/talking.ts";
import { type Chromium, startChromium } from "../chromium.ts";
import { Site } from "./site.ts";
import { Visitor } from "./visitor.ts";

const folder = mkdtempSync(join(tmpdir(), "parley-page-tabs-"));
let site: Site;
let browser: Chromium;
let bob: Agent;
let first: Visitor;
let second: Visitor;

beforeAll(async () => {
  [site, browser] = await Promise.all([Site.start(), startChromium()]);
  bob = await Agent.connect(site.server.url, {
    identity: createIdentity({ name: "Bob" }).identity,
    certificateHashes: [site.server.certificateHash],
  });
  first = await Visitor.arrive(browser, site.url, folder);
  second = await Visitor.arrive(browser, site.url, folder);
});
afterEach(() => expect(browser.complaints).toEqual([]));
afterAll(async () => {
  await bob?.close();
  await browser?.close();
  await site?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Bob calls the agent of the two tabs, and speaks for as long as the call is up; gives what comes of it. */
async function bobCalls(): Promise<string> {
  try {
    const call = await bob.call(await first.key("own-id"), { model: "persistent" });
    void call.audio.write(utterance(60, 48_000)).catch(() => undefined);
    return "up";
  } catch (error) {
    return (error as ParleyError).code;
  }
}

test("both are online as the same agent, and a call rings in both until it is declined in one", async () => {
  expect(await second.key("own-id")).toBe(await first.key("own-id"));
  const outcome = bobCalls();
  await Promise.all([first.reads("ringing", /Bob is calling/), second.reads("ringing", /Bob is calling/)]);
  await second.press("Decline");
  expect(await outcome).toBe("declined");
  await first.reads("ringing", /You declined the call of Bob in another tab/);
  await first.page.getByTestId("accept").waitFor({ state: "hidden" });
});

test("the first to answer has the call; the other says where it went, takes it over, and gives it back", async () => {
  const outcome = bobCalls();
  await Promise.all([first.reads("ringing", /Bob is calling/), second.reads("ringing", /Bob is calling/)]);
  await first.press("Accept");
  await first.phase("up");
  expect(await outcome).toBe("up");
  const key = await first.key("me-key");
  for (const [left, taken] of [
    [first, second],
    [second, first],
  ] as const) {
    await taken.reads("elsewhere", /You are talking with Bob in another tab/);
    await taken.page.getByTestId("take-over").focus();
    await taken.page.keyboard.press("Enter");
    await taken.phase("up");
    const focused = await taken.page.evaluate(() => document.activeElement?.getAttribute("data-testid"));
    expect(focused).toBe("call-title");
    await left.reads("call-title", /Call with Bob went to another tab/);
    expect(await left.outcome()).toEqual(["You went on with this call in another tab.", "moved"]);
    await Promise.all([taken.counts("sent-sent", 20), taken.counts("heard-verified", 20)]);
    await taken.reads("peer-verdict", /Verified: signed by this key/);
    expect(await taken.refusals()).toEqual([]);
    await left.press("Done");
  }
  expect(await first.key("me-key")).not.toBe(key);
});

test("a tab in a call leaves the next one to a tab that is free, and is busy where there is none", async () => {
  const outcome = bobCalls();
  await second.reads("ringing", /Bob is calling/);
  expect(await first.page.getByTestId("accept").filter({ visible: true }).count()).toBe(0);
  await second.press("Accept");
  expect(await outcome).toBe("up");
  await second.phase("up");
  expect(await bobCalls()).toBe("callee-busy");
  await Promise.all([first.hangUp(), second.hangUp()]);
});
