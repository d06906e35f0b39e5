/** From the page to Echo and back: what was spoken is heard. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, test } from "vitest";
import { type Chromium, startChromium } from "../chromium.ts";
import { writeMicrophone } from "./melody.ts";
import { SUNG, singToEcho } from "./singing-to-echo.ts";

const folder = mkdtempSync(join(tmpdir(), "parley-page-echo-"));
let browser: Chromium;

beforeAll(async () => {
  const microphone = writeMicrophone(join(folder, "microphone.wav"), SUNG);
  browser = await startChromium({ microphone, goesFirst: true });
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

test("Echo says back over WebTransport what was spoken", () =>
  singToEcho(browser, folder, {
    carrier: "WebTransport",
    why: /^WebTransport works here/,
    settings: {},
    reloads: false,
  }));
