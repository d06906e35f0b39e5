/** The page is reloaded, the server is started anew: calls end for a named reason, and the next ones work. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RunningCommand } from "../../command-line.ts";
import { type Chromium, startChromium } from "../chromium.ts";
import { Visitor } from "./visitor.ts";

const folder = mkdtempSync(join(tmpdir(), "parley-page-back-"));
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
  await stopServer();
  rmSync(folder, { recursive: true, force: true });
});

async function startServer(): Promise<void> {
  server = new RunningCommand([
    ...["serve", "--port", ports[0], "--http-port", ports[1], "--data-folder", join(folder, "data")],
    ...["--registration", "open", "--grace", "0", "--log-level", "silent", "--json"],
  ]);
  const up = JSON.parse((await server.says(/^\{"url".*\}$/m))[0]);
  ports = [new URL(up.url).port, new URL(up.http_url).port];
}

async function stopServer(): Promise<void> {
  server.kill("SIGTERM");
  await server.finished;
}

async function talk(): Promise<void> {
  await ada.ring("Bob");
  await bob.press("Accept");
  await Promise.all([ada.counts("heard-verified", 25), bob.counts("heard-verified", 25)]);
}

test("a reload ends the call for the other page, and who comes back is the same agent", async () => {
  await talk();
  const me = await ada.key("me-id");
  await ada.page.reload();
  expect(await bob.outcome()).toEqual(["The other end's connection was lost.", "transport-closed"]);
  await ada.line("online");
  expect(await ada.key("own-id")).toBe(me);
  await talk();
  expect(browsers.flatMap(({ complaints }) => complaints)).toEqual([]);
});

test("a server that starts anew ends calls; the page comes back by itself and can call", async () => {
  await stopServer();
  for (const one of [ada, bob])
    expect(await one.outcome()).toEqual(["The server stopped.", "server-shutdown"]);
  await ada.line("offline");
  expect(await ada.text("line")).toBe("Offline: The connection to the server was lost. Trying again.");
  await startServer();
  await Promise.all([ada.line("online"), bob.line("online")]);
  await ada.press("Done");
  await talk();
  // Chromium's own word on a server that is not there.
  for (const complaint of browsers.flatMap(({ complaints }) => complaints))
    expect(complaint).toBe("Failed to load resource: net::ERR_CONNECTION_REFUSED");
});
