import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { issuerKey } from "../../test/token-maker.ts";
import { makeTestAuthority } from "../certificates/test-authority.ts";
import { DEFAULT_SERVER_CONFIG, type ServerConfig } from "../config.ts";
import { authorityChecks } from "./authority-checks.ts";
import { findings } from "./finding.ts";

const folder = mkdtempSync(join(tmpdir(), "parley-doctor-authorities-"));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string, content: string): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const look = (settings: Partial<ServerConfig>) =>
  findings(authorityChecks({ ...DEFAULT_SERVER_CONFIG, ...settings }));

const DAY = 86_400_000;
const pem = (name: string, madeAgo = 0) =>
  at(name, makeTestAuthority("test", Date.now() - madeAgo).certificatePem);
const { jwk } = issuerKey("EdDSA", "ed");
const jwks = (name: string, keys: readonly object[]) => at(name, JSON.stringify({ keys }));

it("looks at what the settings name alone", async () => {
  expect(await look({})).toEqual([]);
});

it.each([
  ["in force", () => [pem("a.pem"), pem("b.pem")], "ok", /^2 of 2 /],
  ["one of them past its time", () => [pem("a.pem"), pem("b.pem", 4_000 * DAY)], "warning", /^1 of 2 /],
  ["soon past its time", () => [pem("b.pem", 3_640 * DAY)], "warning", /^1 of 1 .* until /],
  ["past its time", () => [pem("b.pem", 4_000 * DAY)], "failed", /^0 of 1 /],
  ["no certificate", () => [at("c.pem", "rubbish")], "failed", /cannot be used/],
  ["no file", () => [join(folder, "none.pem")], "failed", /cannot be used/],
])("certificate authorities: %s", async (_, files, state, found) => {
  const [finding, ...more] = await look({ certificateAuthorities: files() });
  expect(more).toEqual([]);
  expect(finding).toMatchObject({ name: "authorities", state, found: expect.stringMatching(found) });
  expect(finding?.fix === undefined).toBe(state === "ok");
});

it.each([
  [
    "in the settings and in a file",
    () => [{ keys: [jwk] }, jwks("a.jwks", [jwk, jwk])],
    "ok",
    /i0 \(1\), i1 \(2\)$/,
  ],
  [
    "not there",
    () => [{ keys: [jwk] }, join(folder, "none.jwks")],
    "warning",
    /: i1: The keys at .* cannot be read/,
  ],
  ["none that may be used", () => [jwks("b.jwks", [{ ...jwk, d: "AA" }])], "warning", /i0: no key/],
])("keys of token issuers: %s", async (_, places, state, found) => {
  const tokenIssuers = places().map((place, index) => ({ issuer: `i${index}`, jwks: place }));
  const [finding] = await look({ tokenIssuers } as Partial<ServerConfig>);
  expect(finding).toMatchObject({ name: "issuers", state, found: expect.stringMatching(found) });
});
