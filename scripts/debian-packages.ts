/** Installs Debian packages where this user may do so without being asked. */
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** The one line to type where installing is not for this user. */
export function installLine(packages: readonly string[]): string {
  return `sudo apt-get update && sudo apt-get install -y --no-install-recommends ${packages.join(" ")}`;
}

/** Installs them all; `isThere` says whether that did it. Prints nothing of its own. */
export function installPackages(packages: readonly string[], isThere: () => boolean): boolean {
  const prefix = rootPrefix();
  if (prefix === undefined || !isInstalled("apt-get")) return false;
  const once = (): boolean =>
    apt(prefix, ["install", "--no-install-recommends", ...packages]).status === 0 && isThere();
  // A fresh machine has no package lists yet, and an old one has stale ones.
  return once() || (apt(prefix, ["update"]).status === 0 && once());
}

/** Whether a program is on the path, or where the system keeps its own. */
export function isInstalled(program: string): boolean {
  // Package managers' own folders are not on every user's PATH.
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** What to put before a command so that it runs as root without asking anybody, or undefined where that cannot be. */
function rootPrefix(): readonly string[] | undefined {
  if (process.getuid?.() === 0) return [];
  return spawnSync("sudo", ["-n", "true"], { stdio: "ignore" }).status === 0 ? ["sudo", "-n"] : undefined;
}

function apt(prefix: readonly string[], args: readonly string[]): SpawnSyncReturns<Buffer> {
  const [command = "env", ...rest] = [
    ...prefix,
    "env",
    "DEBIAN_FRONTEND=noninteractive",
    ...APT_GET,
    ...args,
  ];
  return spawnSync(command, rest, { stdio: ["ignore", "inherit", "inherit"] });
}

const APT_GET = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300"];
