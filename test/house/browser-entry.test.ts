import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundleForBrowser, NEVER_ENTERED, SOURCE_ENTRY } from "../../scripts/check-browser-entry.ts";
import { ROOT } from "./tree.ts";

describe("the browser's entry of the agent library", () => {
  it("reaches nothing of Node's, and weighs no more than a page bears", async () => {
    const { faults, excused, gzipped, gzippedFirst, modules } = await bundleForBrowser(SOURCE_ENTRY);
    expect(faults).toEqual([]);
    expect(excused).toEqual(NEVER_ENTERED);
    expect(gzippedFirst).toBeLessThan(360_000);
    expect(gzipped).toBeLessThan(560_000);
    expect(modules).toEqual(
      expect.arrayContaining(["agent/browser.ts", "agent/connect.ts", "platform/opus.ts"]),
    );
  });
});

describe("the look at what an entry reaches", () => {
  let folder: string;
  beforeAll(() => {
    mkdirSync(join(ROOT, "out"), { recursive: true });
    folder = mkdtempSync(join(ROOT, "out", "entry-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each([
    ["a built-in", 'import { readFileSync } from "node:fs";\nconsole.log(readFileSync);', /^node:fs, from /],
    ["a built-in by its bare name", 'import { join } from "path";\nconsole.log(join);', /^path, from /],
    ["a built-in on demand", 'void import("node:net").then(console.log);', /^node:net, from /],
    [
      "a native package",
      'import sodium from "sodium-native";\nconsole.log(sodium);',
      /^sodium-native, from /,
    ],
    ["a socket of Node's", 'import { WebSocket } from "ws";\nconsole.log(WebSocket);', /^ws, from /],
    ["keys of Node's", 'export * from "../../platform/node/sodium.ts";', /^platform\/node\/sodium\.ts$/],
    ["the record log", 'export * from "../../store/memory-log.ts";', /^store\/memory-log\.ts$/],
  ])("finds %s", async (_, code, fault) => {
    const entry = join(folder, "entry.ts");
    writeFileSync(entry, code);
    const { faults } = await bundleForBrowser(entry);
    expect(
      faults.some((found) => fault.test(found)),
      faults.join("\n"),
    ).toBe(true);
  });
});
