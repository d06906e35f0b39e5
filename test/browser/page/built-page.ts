/** Before the tests of the page: builds it, once for all of them, so that none sees an older one. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("../../../scripts/build-page.ts", import.meta.url));

/** Each project of tests loads this anew. */
const kept = globalThis as { parleyPageIsBuilt?: boolean };

export function setup(): void {
  if (kept.parleyPageIsBuilt === true) return;
  const { status, stderr } = spawnSync(process.execPath, [SCRIPT], { encoding: "utf8" });
  if (status !== 0) throw new Error(`The page cannot be built:\n${stderr}`);
  kept.parleyPageIsBuilt = true;
}
