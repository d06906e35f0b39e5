/**
 * Makes sure that the programs the tests run are on this machine. Debian packages that are missing are installed
 * where this user may do so; otherwise the one line to type is printed and the exit code is 1.
 */
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Programs the tests run, each with the Debian package that brings it. */
const NEEDED: readonly { readonly program: string; readonly debianPackage: string }[] = [
  { program: "tshark", debianPackage: "tshark" },
  { program: "chromium", debianPackage: "chromium" },
  { program: "espeak-ng", debianPackage: "espeak-ng" },
  { program: "openssl", debianPackage: "openssl" },
];

const APT_GET = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300"];

const missing = NEEDED.filter(({ program }) => !isInstalled(program));
if (missing.length > 0) {
  const packages = missing.map(({ debianPackage }) => debianPackage);
  if (!install(packages)) {
    console.error(`The tests need ${packages.join(" and ")}. Type this, then start again:`);
    console.error(
      `  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${packages.join(" ")}`,
    );
    process.exit(1);
  }
}

function install(packages: readonly string[]): boolean {
  const prefix = rootPrefix();
  if (prefix === undefined || !isInstalled("apt-get")) return false;
  console.log(`Installing for the tests: ${packages.join(", ")}`);
  const once = (): boolean =>
    apt(prefix, ["install", "--no-install-recommends", ...packages]).status === 0 &&
    missing.every(({ program }) => isInstalled(program));
  // A fresh machine has no package lists yet, and an old one has stale ones.
  return once() || (apt(prefix, ["update"]).status === 0 && once());
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

function isInstalled(program: string): boolean {
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
