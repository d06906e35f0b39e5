import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { filesUnder, ROOT, textOf } from "./tree.ts";

// Each fixture holds one forbidden line and says in its first line which rules refuse it. The fixtures are laid out like
// the rooms, and are linted in a scratch folder by the checkout's own rules, exactly as if they stood in those rooms.

const FIXTURES = "test/lint-fixtures";
const refused = filesUnder(`${FIXTURES}/refused`).map((path) => path.slice(`${FIXTURES}/refused/`.length));
const accepted = filesUnder(`${FIXTURES}/accepted`).map((path) => path.slice(`${FIXTURES}/accepted/`.length));
const tooLong = "codecs/too-long.ts";
const justRight = "codecs/just-right.ts";

let scratch: string;
let verdicts: Map<string, Set<string>>;

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), "parley-lint-"));
  for (const path of ["biome.json", ".gitignore", "scripts/lint"])
    cpSync(join(ROOT, path), join(scratch, path), { recursive: true });
  for (const folder of ["accepted", "refused"])
    cpSync(join(ROOT, FIXTURES, folder), scratch, { recursive: true });
  mkdirSync(join(scratch, "codecs"), { recursive: true });
  writeFileSync(join(scratch, tooLong), lines(501));
  writeFileSync(join(scratch, justRight), lines(500));
  verdicts = lint(scratch);
});

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe("a forbidden line", () => {
  it.each(refused)("is refused, by the rule meant for it alone: %s", (path) => {
    const [, rules] = /^\/\/ refused by (.+)\n/.exec(textOf(`${FIXTURES}/refused/${path}`)) ?? [];
    expect([...(verdicts.get(path) ?? [])].sort()).toEqual(rules?.split(", ").sort());
  });

  it("is refused in every pure room and on every way up between rooms", () => {
    const rooms = ["codecs", "signaling", "sfu", "platform", "transports", "store", "agent", "src"];
    const ways = rooms.flatMap((from, at) => rooms.slice(at + 1).map((to) => `${from}/upward-${to}.ts`));
    expect(refused).toEqual(expect.arrayContaining(ways));
    for (const room of rooms.slice(0, 3)) {
      const kinds = ["clock-date", "timer", "chance", "machine-buffer", "output-console", "import-node"];
      expect(refused).toEqual(expect.arrayContaining(kinds.map((kind) => `${room}/${kind}.ts`)));
    }
  });

  it("is refused when it is line 501", () => {
    expect([...(verdicts.get(tooLong) ?? [])]).toEqual(["lint/style/noExcessiveLinesPerFile"]);
    expect(verdicts.has(justRight)).toBe(false);
  });
});

describe("what is allowed", () => {
  it.each(accepted)("passes: %s", (path) => {
    expect([...(verdicts.get(path) ?? [])]).toEqual([]);
  });
});

function lines(count: number): string {
  return Array.from({ length: count }, (_, index) => `export const line${index + 1} = ${index};\n`).join("");
}

/** Paths with what refuses them: the rules of severity warning or error, which is what `npm run lint` fails on. */
function lint(folder: string): Map<string, Set<string>> {
  const biome = join(ROOT, "node_modules/@biomejs/biome/bin/biome");
  const run = spawnSync(process.execPath, [biome, "lint", "--reporter=json", "--max-diagnostics=none", "."], {
    cwd: folder,
    encoding: "utf8",
  });
  const report = JSON.parse(run.stdout) as {
    summary: { unchanged: number };
    diagnostics: { severity: string; category: string; location: { path: string } }[];
  };
  expect(report.summary.unchanged).toBeGreaterThanOrEqual(refused.length + accepted.length);
  const found = new Map<string, Set<string>>();
  for (const { severity, category, location } of report.diagnostics) {
    if (severity === "information" || severity === "info") continue;
    const rules = found.get(location.path) ?? new Set();
    found.set(location.path, rules.add(category));
  }
  return found;
}
