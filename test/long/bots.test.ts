/** Bots over TLS, and bots whose calls fail: what `test/e2e/bots.test.ts` leaves out for the time it takes. */
import { expect, it } from "vitest";
import type { BotsSummary } from "../../src/bots/summary.ts";
import { EXIT } from "../../src/cli/exit-codes.ts";
import { parley } from "../command-line.ts";

it("calls over TLS as well", async () => {
  const run = await parley("bots", "--calls", "1", "--duration", "2s", "--carrier", "tls", "--json");
  expect([EXIT.done, EXIT.overloaded], run.stderr).toContain(run.code);
  const summary = JSON.parse(run.stdout) as BotsSummary;
  expect(summary).toMatchObject({ partial: false, calls: { completed: 1 }, frames: { refused: {} } });
  expect(summary.frames.verified).toBeGreaterThan(20);
});

it("shows pictures and sends data beside the voice, each bot over a network of its own", async () => {
  const media = ["--media", "av", "--data", "reliable,latest", "--network", "wifi,cellular,none"];
  const run = await parley("bots", "--calls", "2", "--duration", "5s", "--seed", "3", ...media, "--json");
  expect([EXIT.done, EXIT.overloaded], run.stderr).toContain(run.code);
  const summary = JSON.parse(run.stdout) as BotsSummary;
  expect(summary).toMatchObject({ partial: false, calls: { completed: 2 }, frames: { refused: {} } });
  expect(Object.keys(summary.media).sort()).toEqual(["audio", "data", "video"]);
  for (const { verified, latency_ms } of Object.values(summary.media)) {
    expect(verified).toBeGreaterThan(50);
    expect(latency_ms.count).toBe(verified);
  }
  const { reliable, latest } = summary.data;
  expect(reliable).toMatchObject({ read: reliable.sent, out_of_order: 0 });
  expect(latest.out_of_order).toBe(0);
  expect(latest.age_ms.max).toBeLessThan(500);
  expect(summary.video?.key_frames).toBeGreaterThanOrEqual(4);
  expect(summary.video?.skew_ms.ends).toBeGreaterThan(0);
});

it("shows a file in place of its own clip", async () => {
  const clip = new URL("../vectors/ffmpeg/av1-svt.ivf", import.meta.url).pathname;
  const run = await parley(
    "bots",
    "--calls",
    "1",
    "--duration",
    "2s",
    "--media",
    "video",
    "--video",
    clip,
    "--json",
  );
  expect([EXIT.done, EXIT.overloaded], run.stderr).toContain(run.code);
  const summary = JSON.parse(run.stdout) as BotsSummary;
  expect(summary).toMatchObject({ partial: false, calls: { completed: 1 } });
  expect(Object.keys(summary.media)).toEqual(["video"]);
  expect(summary.media.video?.verified).toBeGreaterThan(20);
});

it("exits with a code of its own when calls fail", async () => {
  const nowhere = ["--server", "https://127.0.0.1:9/agtp", "--cert-hash", "0".repeat(64)];
  const run = await parley("bots", "--calls", "1", "--duration", "1s", ...nowhere, "--json");
  expect(run.code).toBe(EXIT.partial);
  const summary = JSON.parse(run.stdout) as BotsSummary;
  expect(summary.calls.completed).toBe(0);
  expect(Object.keys(summary.calls.failed)).toEqual([expect.stringMatching(/^connect-/)]);
});
