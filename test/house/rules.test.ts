import { describe, expect, it } from "vitest";
import { OPEN_ROWS_ALLOWED } from "../conformance/row.ts";
import { filesUnder, textOf } from "./tree.ts";

interface PackageFile {
  readonly type: string;
  readonly license: string;
  readonly private: boolean;
  readonly engines: Readonly<Record<string, string>>;
  readonly allowScripts: Readonly<Record<string, boolean>>;
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly overrides: Readonly<Record<string, string>>;
}

interface LockFile {
  readonly packages: Readonly<Record<string, LockEntry>>;
}

interface LockEntry {
  readonly hasInstallScript?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const manifest = JSON.parse(textOf("package.json")) as PackageFile;
const lock = JSON.parse(textOf("package-lock.json")) as LockFile;
const files = filesUnder();
const sources = files.filter((path) => /\.(ts|cjs|mjs|js|grit)$/.test(path));

describe("package.json", () => {
  it("pins every dependency to one version", () => {
    const { dependencies, devDependencies, overrides } = manifest;
    for (const version of Object.values({ ...dependencies, ...devDependencies, ...overrides }))
      expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  });

  it("brings Node and says which one is the oldest", () => {
    expect(manifest.devDependencies.node).toMatch(/^26\./);
    expect(manifest.engines).toEqual({ node: ">=24" });
  });

  it("decides for every package in the lock file that has an install script, and runs Node's alone", () => {
    const withScript = Object.entries(lock.packages)
      .filter(([, entry]) => entry.hasInstallScript)
      .map(([path]) => path.replace(/^.*node_modules\//, ""));
    const optional = new Set(Object.keys(lock.packages).filter((path) => path.endsWith("/fsevents")));
    for (const name of withScript)
      if (![...optional].some((path) => path.endsWith(name)))
        expect(manifest.allowScripts).toHaveProperty([name]);
    expect(Object.keys(manifest.allowScripts).filter((name) => manifest.allowScripts[name])).toEqual([
      "node",
    ]);
  });

  it("starts every command that people type with the look at Node's version", () => {
    for (const name of ["start", "demo", "test", "test:long", "bench", "check"])
      expect(manifest.scripts[name]).toMatch(/^node scripts\/require-node\.cjs && /);
  });

  it("exports compiled files, with their types, and the sources for our own scripts", () => {
    const [main, { browser, ...node }] = [manifest.exports["."], manifest.exports["./agent"]] as [
      Target,
      Target,
    ];
    for (const target of [main, node, browser as unknown as Target]) {
      expect(Object.keys(target)).toEqual(["source", "types", "default"]);
      const stem = target.source?.replace(/^\.\//, "").replace(/\.ts$/, "");
      expect(target).toEqual({
        source: `./${stem}.ts`,
        types: `./dist/${stem}.d.ts`,
        default: `./dist/${stem}.js`,
      });
      expect(files).toContain(`${stem}.ts`);
    }
    // The first condition that holds is taken: Node's would hold in browsers too.
    expect(Object.keys(manifest.exports["./agent"] as Target)[0]).toBe("browser");
    expect(manifest.bin).toEqual({ parley: "dist/src/cli/main.js" });
    expect(textOf("src/cli/main.ts")).toMatch(/^#!\/usr\/bin\/env node\n/);
  });

  it("is Apache-2.0, ESM, and private until it is published under its scope", () => {
    expect(manifest).toMatchObject({ license: "Apache-2.0", type: "module", private: true });
    expect(textOf("LICENSE")).toContain("Apache License");
  });
});

describe("the lock file", () => {
  it("names no download host", () => {
    expect(textOf("package-lock.json")).not.toMatch(/"resolved": "https?:/);
    expect(textOf(".npmrc")).toContain("omit-lockfile-registry-resolved=true");
  });

  it("has no holes: what a package brings for other platforms is locked as well", () => {
    const locked = new Set(Object.keys(lock.packages).map((path) => path.replace(/^.*node_modules\//, "")));
    for (const [path, entry] of Object.entries(lock.packages))
      for (const name of Object.keys(entry.optionalDependencies ?? {}))
        expect(locked, `${path} brings ${name}`).toContain(name);
  });
});

describe("the tree", () => {
  it("has no file or folder whose name says nothing", () => {
    expect(files.filter((path) => /(^|\/)(utils?|helpers?|common|misc)(\.|\/)/.test(path))).toEqual([]);
  });

  it("has no source past 500 lines", () => {
    expect(sources.filter((path) => textOf(path).split("\n").length > 501)).toEqual([]);
  });

  it("has no unfinished or switched-off work", () => {
    const marks = new RegExp(
      ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK", "not implemen" + "ted", "\\.skip" + "If\\("].join(
        "|",
      ),
    );
    const unfinished = sources.filter(
      (path) =>
        !path.startsWith("test/lint-fixtures/") &&
        !(OPEN_ROWS_ALLOWED && path.startsWith("test/conformance/rows/")) &&
        marks.test(textOf(path)),
    );
    expect(unfinished).toEqual([]);
  });

  it("has a CHANGELOG that begins with NEXT", () => {
    expect(textOf("CHANGELOG.md")).toMatch(/^# Changelog\n\n## NEXT\n/);
  });

  it("says of every folder of foreign vectors where they come from", () => {
    const folders = new Set(vectorFiles().map((path) => path.split("/").slice(0, 3).join("/")));
    const told = vectorFiles().flatMap((path) => /^(.*)\/(README|ORIGIN)\.md$/.exec(path)?.[1] ?? []);
    for (const folder of folders) expect(told).toContain(folder);
  });
});

function vectorFiles(): string[] {
  return filesUnder("test/vectors");
}

/** Files by condition. */
type Target = Readonly<Record<string, string>>;
