import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { BenchProcess } from "./bench-process.ts";
import type { LoadTarget } from "./load/link.ts";

/** A Parley server of its own for one measurement, in a process of its own, its records under `out/` on the disk of the checkout; with
 * `ws` it takes WebSockets on its plain side. */
export async function withParleyServer<Value>(
  use: (server: BenchProcess, target: LoadTarget) => Promise<Value>,
  sockets: readonly "ws"[] = [],
): Promise<Value> {
  const out = fileURLToPath(new URL("../out/", import.meta.url));
  mkdirSync(out, { recursive: true });
  const folder = mkdtempSync(`${out}bench-server-`);
  const server = new BenchProcess(new URL("./relay-parley.ts", import.meta.url), [folder, ...sockets]);
  try {
    return await use(server, await server.next<LoadTarget>(START_TIMEOUT));
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** On a machine that does much else. */
const START_TIMEOUT = 60_000;
