/** Before `npm start`: builds the page where it is missing or older than what it is made of. A server runs without it, too. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** What the page is made of. */
const SOURCES = ["web-demo", "agent", "codecs", "signaling", "sfu", "platform", "transports", "package.json"];

const root = fileURLToPath(new URL("../", import.meta.url));
const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly scripts: Readonly<Record<string, string>>;
};
const built = join(root, "web-demo", "dist", "index.html");
const isFresh = existsSync(built) && newest(SOURCES.map((path) => join(root, path))) <= changedAt(built);

if (!isFresh && scripts["build:page"] !== undefined) {
  console.log("Building the page …");
  const npm = process.env.npm_execpath;
  const [program, ...args] = npm === undefined ? ["npm"] : [process.execPath, npm];
  const { status } = spawnSync(program as string, [...args, "run", "--silent", "build:page"], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (status !== 0) console.error("The page could not be built; the server starts without it.");
}

/** When the newest of these files, or of the files below these folders, was written. */
function newest(paths: readonly string[]): number {
  let latest = 0;
  for (const path of paths) {
    const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
    const inside = isFolder
      ? readdirSync(path).filter((name) => name !== "dist" && name !== "node_modules")
      : [];
    latest = Math.max(latest, isFolder ? newest(inside.map((name) => join(path, name))) : changedAt(path));
  }
  return latest;
}

function changedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
