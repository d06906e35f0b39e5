import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";

/** The checkout's own folder, with a separator at its end. */
export const ROOT = new URL("../../", import.meta.url).pathname;

/** Folders that are made, fetched or foreign, not written here. */
const NOT_OURS = new Set(["node_modules", ".git", "dist", "out", "coverage", "vectors"]);

/** Paths of all files under `folder` that are written by hand, relative to the checkout, sorted. */
export function filesUnder(folder = "."): string[] {
  const found: string[] = [];
  const walk = (path: string): void => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (NOT_OURS.has(entry.name)) continue;
      const inside = join(path, entry.name);
      if (entry.isDirectory()) walk(inside);
      else found.push(relative(ROOT, inside).split(sep).join("/"));
    }
  };
  walk(join(ROOT, folder));
  return found.sort();
}

/** Text of one file, by its path relative to the checkout. */
export function textOf(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}
