import { existsSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, it } from "vitest";
import { supportedMethods } from "../../signaling/paths.ts";
import { filesUnder, ROOT, textOf } from "./tree.ts";

const pages = filesUnder().filter((path) => path.endsWith(".md"));

describe("links", () => {
  it.each(pages)("of %s lead to files and headings that exist", (page) => {
    for (const [, target = ""] of withoutCode(textOf(page)).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [path = "", heading] = target.split("#");
      const file = path === "" ? page : normalize(join(dirname(page), path));
      expect(existsSync(join(ROOT, file)), `${page} links to ${target}`).toBe(true);
      if (heading !== undefined) expect(headingsOf(file), `${page} links to ${target}`).toContain(heading);
    }
  });

  it("from the README reach every page of docs/", () => {
    const reached = new Set(["README.md"]);
    for (const page of reached)
      for (const [, target = ""] of textOf(page).matchAll(/\]\(([^)\s#]+)[^)]*\)/g))
        if (target.endsWith(".md") && !/^[a-z]+:/.test(target))
          reached.add(normalize(join(dirname(page), target)));
    expect(pages.filter((page) => page.startsWith("docs/") && !reached.has(page))).toEqual([]);
  });
});

it("docs/wire-signaling.md shows the methods that answers name", () => {
  const shown = [...textOf("docs/wire-signaling.md").matchAll(/^Supported-Methods: (.*)$/gm)];
  expect(new Set(shown.map(([, methods]) => methods))).toEqual(
    new Set([supportedMethods("/"), supportedMethods("/sessions")]),
  );
});

describe("the README", () => {
  const readme = textOf("README.md");

  it("shows an example that is type-checked with everything else, word for word, in 15 lines", () => {
    const [, path = "", code] = /<!-- (examples\/\S+) -->\n\n```ts\n(.*?)```\n/s.exec(readme) ?? [];
    expect(code).toBe(textOf(path));
    expect(code?.trimEnd().split("\n").length).toBeLessThanOrEqual(15);
  });

  it("gives the two commands, and .ci/run runs the second", () => {
    expect(readme).toContain("npm ci && npm run demo\n");
    expect(readme).toContain("npm ci && npm test\n");
    expect(textOf(".ci/run")).toMatch(/^step npm ci \|\|.*^step npm test$/ms);
  });

  it("names every folder that a stranger meets", () => {
    const folders = new Set(filesUnder().flatMap((path) => (path.includes("/") ? [path.split("/")[0]] : [])));
    for (const folder of folders)
      if (!folder?.startsWith(".")) expect(readme).toMatch(new RegExp(`(\`|\\()${folder}/`));
  });
});

function withoutCode(text: string): string {
  return text.replaceAll(/```.*?```/gs, "").replaceAll(/`[^`\n]*`/g, "");
}

/** Anchors of a page's headings, as forges make them. */
function headingsOf(page: string): string[] {
  return [...textOf(page).matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\- ]/gu, "")
      .replaceAll(" ", "-"),
  );
}
