import { cpSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** What a fresh clone does not have, or is brought by `npm ci`. */
const NOT_CLONED = new Set([".git", "node_modules", "out", "dist", "coverage"]);

/** A copy of the project as after `git clone` and `npm ci`, where commands may write what they like. */
export function cloneProject(): { readonly folder: string; remove(): void } {
  const project = fileURLToPath(new URL("..", import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), "parley-clone-"));
  for (const name of readdirSync(project)) {
    if (!NOT_CLONED.has(name)) cpSync(join(project, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(project, "node_modules"), join(folder, "node_modules"));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
