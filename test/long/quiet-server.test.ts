/** A server that nobody calls for a while. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { RunningCommand } from "../command-line.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "parley-quiet-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it("collects its garbage when nobody calls", async () => {
  const args = ["serve", "--port", "0", "--http-port", "0", "--data-folder", join(folder, "data")];
  const server = new RunningCommand(args, { nodeArgs: ["--trace-gc"] });
  await server.says(/Parley listens on/);
  // V8's word for a collection that was asked for.
  await server.says(/Mark-Compact \(reduce\).* testing;/);
  server.kill("SIGTERM");
  expect((await server.finished).code).toBe(0);
});
