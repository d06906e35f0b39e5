/** The worker as mediasoup's makers built it, from where mediasoup's own installation fetches it. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { builtWorkerPath } from "../../transports/webrtc/worker-binary.ts";
import { FETCHED, MARK, runs } from "./usable.ts";

/** Puts it into the cache. Returns why it cannot be had, or `undefined`. */
export async function fetchWorker({
  folder,
  version,
}: {
  readonly folder: string;
  readonly version: string;
}): Promise<string | undefined> {
  const name = archiveName(folder);
  if (name === undefined) return "mediasoup names none for this machine";
  const base = process.env.MEDIASOUP_WORKER_PREBUILT_DOWNLOAD_BASE_URL || RELEASES;
  let archive: Uint8Array;
  try {
    const response = await fetch(`${base}/${version}/${name}`, { signal: AbortSignal.timeout(FETCH_MS) });
    if (!response.ok) return `${new URL(base).host} answers ${response.status}`;
    archive = await response.bytes();
  } catch {
    return `${new URL(base).host} cannot be reached`;
  }
  const target = builtWorkerPath(version);
  mkdirSync(dirname(target), { recursive: true });
  const scratch = mkdtempSync(join(dirname(target), ".fetched-"));
  try {
    const { status } = spawnSync("tar", ["-xz", "-C", scratch, "mediasoup-worker"], { input: archive });
    const unpacked = join(scratch, "mediasoup-worker");
    if (status !== 0) return `${name} cannot be unpacked`;
    if (!runs(unpacked)) return `${name} does not run on this machine`;
    writeFileSync(join(dirname(target), MARK), `${FETCHED}\n`);
    renameSync(unpacked, target);
    return undefined;
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** mediasoup names archives by version, system, processor and kernel. */
function archiveName(folder: string): string | undefined {
  const { stdout } = spawnSync(process.execPath, ["npm-scripts.mjs", "worker:prebuild-name"], {
    cwd: folder,
    encoding: "utf8",
  });
  return /mediasoup-worker-[\w.-]+\.tgz/.exec(stdout)?.[0];
}

const RELEASES = "https://github.com/versatica/mediasoup/releases/download";
const FETCH_MS = 10_000;
