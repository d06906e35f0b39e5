import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const SCRIPT = fileURLToPath(new URL("../../test/processes/short-lived-buffers.ts", import.meta.url));

it("buffers that live for a turn are collected with the young generation, while the old one is left alone", () => {
  const run = spawnSync(process.execPath, ["--conditions=source", SCRIPT, "early"], { encoding: "utf8" });
  const { major, minor } = JSON.parse(run.stdout) as { major: number; minor: number };
  // Left to itself, V8 collects the old generation for them, several times as often.
  expect(minor).toBeGreaterThanOrEqual(3);
  expect(major).toBeLessThan(minor);
});
