/**
 * Makes sure that the programs the tests run are on this machine. Debian packages that are missing are installed
 * where this user may do so; otherwise the one line to type is printed and the exit code is 1.
 */
import { installLine, installPackages, isInstalled } from "./debian-packages.ts";

/** Programs the tests run, each with the Debian package that brings it. */
const NEEDED: readonly { readonly program: string; readonly debianPackage: string }[] = [
  { program: "tshark", debianPackage: "tshark" },
  { program: "chromium", debianPackage: "chromium" },
  { program: "espeak-ng", debianPackage: "espeak-ng" },
  { program: "ffmpeg", debianPackage: "ffmpeg" },
  { program: "whip-client", debianPackage: "simple-whip-client" },
  { program: "openssl", debianPackage: "openssl" },
];

const missing = NEEDED.filter(({ program }) => !isInstalled(program));
if (missing.length > 0) {
  const packages = missing.map(({ debianPackage }) => debianPackage);
  console.log(`Installing for the tests: ${packages.join(", ")}`);
  if (!installPackages(packages, () => missing.every(({ program }) => isInstalled(program)))) {
    console.error(`The tests need ${packages.join(" and ")}. Type this, then start again:`);
    console.error(`  ${installLine(packages)}`);
    process.exit(1);
  }
}
