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

it("exits with a code of its own when calls fail", async () => {
  const nowhere = ["--server", "https://127.0.0.1:9/agtp", "--cert-hash", "0".repeat(64)];
  const run = await parley("bots", "--calls", "1", "--duration", "1s", ...nowhere, "--json");
  expect(run.code).toBe(EXIT.partial);
  const summary = JSON.parse(run.stdout) as BotsSummary;
  expect(summary.calls.completed).toBe(0);
  expect(Object.keys(summary.calls.failed)).toEqual([expect.stringMatching(/^connect-/)]);
});
