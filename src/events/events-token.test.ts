import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { EVENTS_TOKEN_FILE, eventsToken, showsToken } from "./events-token.ts";

it("is the folder's, its owner's alone, and stays; one cut short is replaced", () => {
  const folder = mkdtempSync(join(tmpdir(), "parley-events-token-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const token = eventsToken(folder);
  expect(token).toHaveLength(43);
  expect(statSync(join(folder, EVENTS_TOKEN_FILE)).mode & 0o777).toBe(0o600);
  expect(eventsToken(folder)).toBe(token);
  writeFileSync(join(folder, EVENTS_TOKEN_FILE), "");
  expect(eventsToken(folder)).not.toBe(token);
});

it.each([
  ["Bearer secret", true],
  ["bearer  secret", true],
  [undefined, false],
  ["", false],
  ["secret", false],
  ["Basic secret", false],
  ["Bearer secre", false],
  ["Bearer secret more", false],
])("is shown by %j: %s", (header, shown) => {
  expect(showsToken(header, "secret")).toBe(shown);
});
