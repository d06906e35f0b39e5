/** Bots as people run them: a server, processes of bots, and one object on standard output. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { BotsSummary } from "../../src/bots/summary.ts";
import { EXIT } from "../../src/cli/exit-codes.ts";
import { parley } from "../command-line.ts";

/** Of the network `cellular` one way: 50 ms less 15 of jitter, less one that timers may wake early. */
const LEAST_DELAY_MS = 34;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parley-bots-test-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it("loads a server of its own over a network of its own and says how it went", async () => {
  const jsonl = join(folder, "run.jsonl");
  const run = await parley(
    "bots",
    "--calls",
    "4",
    "--duration",
    "3s",
    "--seed",
    "5",
    "--network",
    "cellular",
    "--jsonl",
    jsonl,
    "--json",
  );
  // Where other work holds the processor up the bots say so, with a code of their own.
  expect([EXIT.done, EXIT.overloaded], run.stderr).toContain(run.code);
  const summary = JSON.parse(run.stdout) as BotsSummary;
  expect(summary.partial).toBe(false);
  expect(summary.calls).toEqual({ wanted: 4, made: 4, completed: 4, failed: {} });
  expect(summary.setup_ms.count).toBe(4);
  // To the server, to the callee, and both ways back.
  expect(summary.setup_ms.p50).toBeGreaterThan(4 * LEAST_DELAY_MS);
  expect(summary.first_frame_ms.count).toBe(4);
  expect(summary.frames.sent).toBeGreaterThan(100);
  expect(summary.frames.refused).toEqual({});
  expect(summary.frames.verified + summary.frames.lost).toBe(summary.frames.sent);
  expect(summary.latency_ms.count).toBe(summary.frames.verified);
  // A frame is captured 20 ms before it can leave; then it goes to the server and on.
  expect(summary.latency_ms.p50).toBeGreaterThan(20 + 2 * LEAST_DELAY_MS);
  expect(summary.server?.memory_after).toBeGreaterThan(0);

  const lines = (await readFile(jsonl, "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines.at(-1)).toMatchObject({ kind: "summary", seconds: summary.seconds });
  const sent: number[] = lines.slice(0, -1).map((line) => line.sent);
  expect(sent.length).toBeGreaterThanOrEqual(3);
  expect(sent).toEqual(sent.toSorted((a, b) => a - b));
});
