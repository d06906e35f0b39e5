/** Inputs that once went wrong, and a few thousand fresh ones for every reader; `npm run test:long` makes a million of each. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { announceSeed } from "../net/announce-seed.ts";
import { inputOf } from "./target.ts";
import { TARGETS } from "./targets.ts";

const INPUTS = 1_000;
const seed = announceSeed("fuzz cases");

describe.each(TARGETS)("$name", (target) => {
  const folder = new URL(`cases/${target.name}/`, import.meta.url);
  const cases = existsSync(folder) ? readdirSync(folder) : [];

  it("takes its own examples", async () => {
    for (const example of target.examples) expect(await target.run(example)).toBe(true);
  });

  it.each(cases)("deals with %s", async (name) => {
    await target.run(readFileSync(new URL(name, folder)));
  });

  it("deals with odd inputs", async () => {
    const inputs = target.few ?? Math.ceil(INPUTS / (target.every ?? 1));
    for (let index = 0; index < inputs; index += 1) {
      const input = inputOf(target, seed, index);
      const named = `input ${index}: ${Buffer.from(input).toString("base64")}`;
      await expect((async () => await target.run(input))(), named).resolves.toBeTypeOf("boolean");
    }
  });
});
