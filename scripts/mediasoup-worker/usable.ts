/** Whether a worker that is there may stay. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { findWorker, isWorker, type WorkerBinary } from "../../transports/webrtc/worker-binary.ts";

/** Beside a built worker: of what it was made. */
export const MARK = "built-from";

/** The worker that a server would take, if it runs here and, where it was built, was built from what is in this checkout. */
export function usableWorker(): WorkerBinary | undefined {
  const found = findWorker();
  if (!isWorker(found) || !runs(found.path)) return undefined;
  return found.origin !== "built" || isFresh(found.path) ? found : undefined;
}

/** Started without what mediasoup says to it, a worker leaves with this code; one that lacks a library does not come so far. */
export function runs(path: string): boolean {
  return spawnSync(path, { stdio: "ignore", env: {} }).status === NOT_STARTED_BY_MEDIASOUP;
}

/** SHA-256 of everything in this folder that goes into a build. */
export function kitDigest(): string {
  const hash = createHash("sha256");
  const names = readdirSync(KIT, { recursive: true, encoding: "utf8" }).filter((name) =>
    /(\.h|CMakeLists\.txt)$/.test(name),
  );
  for (const name of names.toSorted())
    hash
      .update(`${name}\0`)
      .update(readFileSync(join(KIT, name)))
      .update("\0");
  return hash.digest("hex");
}

function isFresh(path: string): boolean {
  try {
    const mark = readFileSync(join(dirname(path), MARK), "utf8").trim();
    return mark === FETCHED || mark === kitDigest();
  } catch {
    return false;
  }
}

/** What {@link MARK} says of a worker that its makers built. */
export const FETCHED = "fetched";
export const KIT = import.meta.dirname;
const NOT_STARTED_BY_MEDIASOUP = 41;
