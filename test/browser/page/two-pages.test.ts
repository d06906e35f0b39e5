/** One person's page calls another's; pages are reloaded, and the server is started anew. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RunningCommand } from "../../command-line.ts";
import { type Chromium, startChromium } from "../chromium.ts";
import { Visitor } from "./visitor.ts";

const folder = mkdtempSync(join(tmpdir(), "parley-page-two-"));
/** What is to be said of each call: no anchors are given. */
const SOUND = { verdict: "unanchored", faults: [] };
let server: RunningCommand;
/** Of UDP and of the page, the same after each start. */
let ports: readonly [string, string] = ["0", "0"];
let browsers: readonly Chromium[] = [];
let ada: Visitor;
let bob: Visitor;

beforeAll(async () => {
  await startServer();
  browsers = await Promise.all([startChromium(), startChromium()]);
  const url = `http://127.0.0.1:${ports[1]}/`;
  const arrivals = browsers.map((browser) => Visitor.arrive(browser, url, folder));
  [ada, bob] = (await Promise.all(arrivals)) as [Visitor, Visitor];
  await Promise.all([ada.introduce("Ada"), bob.introduce("Bob")]);
});
afterAll(async () => {
  await Promise.all(browsers.map((browser) => browser.close()));
  server.kill("SIGKILL");
  await server.finished;
  rmSync(folder, { recursive: true, force: true });
});

async function startServer(...more: readonly string[]): Promise<void> {
  server = new RunningCommand([
    ...["serve", "--port", ports[0], "--http-port", ports[1], "--data-folder", join(folder, "data")],
    ...["--registration", "open", "--grace", "0", "--log-level", "silent", "--json"],
    ...more,
  ]);
  const up = JSON.parse((await server.says(/^\{"url".*\}$/m))[0]);
  ports = [new URL(up.url).port, new URL(up.http_url).port];
}

/** A call in which both hear the other. */
async function talk(): Promise<void> {
  await ada.ring("Bob");
  await bob.press("Accept");
  // Until then the counts are those of the call before.
  await Promise.all([ada.phase("up"), bob.phase("up")]);
  await Promise.all([ada.counts("heard-verified", 25), bob.counts("heard-verified", 25)]);
}

function complaints(): readonly string[] {
  return browsers.flatMap((browser) => browser.complaints);
}

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
  await ada.press("Done");
});

test("a page that is reloaded goes on with its call: the other end sees it go and come back, and both show the gap", async () => {
  await talk();
  const me = await ada.key("me-id");
  await ada.page.reload();
  await ada.phase("up");
  expect(await ada.key("me-id")).toBe(me);
  await ada.reads("notices", /This page was reloaded. For \d+\.\d s nothing was said or heard here/);
  await bob.reads("notices", /Ada is back after/);
  for (const gap of [ada.count("sent-away"), ada.count("heard-away"), bob.count("heard-away")])
    expect(await gap).toBeGreaterThan(0);
  const heard = await bob.count("heard-verified");
  await Promise.all([ada.counts("heard-verified", 50), bob.counts("heard-verified", heard + 50)]);
  await ada.reads("peer-verdict", /Verified: signed by this key/);
  for (const one of [ada, bob]) expect(await one.refusals()).toEqual([]);
  await bob.hangUp();
  expect(await ada.outcome()).toEqual(["Bob hung up.", "hung-up"]);
  expect(await ada.judged()).toEqual(SOUND);
  expect(complaints()).toEqual([]);
});

test("a server that is killed and starts anew finds the call again: both go on with it by themselves", async () => {
  await Promise.all([ada.press("Done"), bob.press("Done")]);
  await talk();
  server.kill("SIGKILL");
  await server.finished;
  await ada.line("offline");
  await ada.reads("call-facts", /No connection, trying again/);
  await startServer("--stop-ends-calls");
  await Promise.all([ada.line("online"), bob.line("online")]);
  await Promise.all([ada.reads("call-facts", /In a call/), bob.reads("call-facts", /In a call/)]);
  const [byAda, byBob] = [await ada.count("heard-verified"), await bob.count("heard-verified")];
  await Promise.all([ada.counts("heard-verified", byAda + 50), bob.counts("heard-verified", byBob + 50)]);
  await ada.hangUp();
  expect(await bob.outcome()).toEqual(["Ada hung up.", "hung-up"]);
  expect(await bob.judged()).toEqual(SOUND);
});

test("a server whose stop ends calls ends them; the page comes back by itself, gets the evidence and can call", async () => {
  await Promise.all([ada.press("Done"), bob.press("Done")]);
  await talk();
  server.kill("SIGTERM");
  await server.finished;
  for (const one of [ada, bob])
    expect(await one.outcome()).toEqual(["The server stopped.", "server-shutdown"]);
  await ada.line("offline");
  expect(await ada.text("line")).toBe("Offline: The connection to the server was lost. Trying again.");
  await ada.reads("evidence-problem", /as soon as this page is online again/);
  await startServer();
  await Promise.all([ada.line("online"), bob.line("online")]);
  // Over a connection that the call never had: consistent, and no anchors were given.
  expect(await ada.judged()).toEqual(SOUND);
  await ada.press("Done");
  await talk();
  // Chromium's own word on a server that is not there.
  for (const complaint of complaints())
    expect(complaint).toMatch(/: net::ERR_CONNECTION_(REFUSED|RESET|CLOSED)\.?$/);
});
