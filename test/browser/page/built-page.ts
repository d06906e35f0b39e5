/** Before the tests of the page: builds it, so that none of them sees an older one. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("../../../scripts/build-page.ts", import.meta.url));

export function setup(): void {
  const { status, stderr } = spawnSync(process.execPath, [SCRIPT], { encoding: "utf8" });
  if (status !== 0) throw new Error(`The page cannot be built:\n${stderr}`);
}
