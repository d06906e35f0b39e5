/** From the page to Echo and back over WebSocket, the page reloaded in the call: what was spoken is heard. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, test } from "vitest";
import { type Chromium, startChromium } from "../browser/chromium.ts";
import { writeMicrophone } from "../browser/page/melody.ts";
import { SUNG, singToEcho } from "../browser/page/singing-to-echo.ts";

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

// UDP cannot be had: nobody tells the page.
test("Echo says back over WebSocket what was spoken, to a page that was reloaded", () =>
  singToEcho(browser, folder, {
    carrier: "WebSocket",
    why: /^This server offers no WebTransport/,
    settings: { webTransport: false },
    reloads: true,
  }));
