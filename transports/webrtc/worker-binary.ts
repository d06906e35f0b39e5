/** Where the worker of mediasoup is on this machine: the program that terminates ICE, DTLS, SRTP and SCTP. */
import { accessSync, constants, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";

/** A worker that can be started. */
export interface WorkerBinary {
  readonly path: string;
  /** Of mediasoup; both halves have to be of the same. */
  readonly version: string;
  /** `given`: by the environment; `built`: by `npm run webrtc:setup`; `bundled`: what mediasoup's own installation fetched or built. */
  readonly origin: "given" | "built" | "bundled";
}

/** Why there is none, and what helps, each in one sentence. */
export interface NoWorker {
  readonly reason: string;
  readonly remedy: string;
}

/** Names a program that is to be used instead, as mediasoup itself has it. */
export const WORKER_VARIABLE = "MEDIASOUP_WORKER_BIN";

/** Looks in the environment, then in the user's cache, then in the package itself. Never throws. */
export function findWorker(environment: NodeJS.ProcessEnv = process.env): WorkerBinary | NoWorker {
  const found = findMediasoup();
  if (found === undefined) return { reason: "The package mediasoup is not installed.", remedy: INSTALL };
  const { folder, version } = found;
  const given = environment[WORKER_VARIABLE];
  if (given !== undefined && given !== "") {
    const path = resolve(given);
    if (isProgram(path)) return { path, version, origin: "given" };
    return {
      reason: `${WORKER_VARIABLE} names ${path}, which cannot be run.`,
      remedy: `Name a worker of mediasoup ${version}, or nothing.`,
    };
  }
  const built = builtWorkerPath(version, environment);
  if (isProgram(built)) return { path: built, version, origin: "built" };
  const bundled = bundledWorkerPath(folder);
  if (isProgram(bundled)) return { path: bundled, version, origin: "bundled" };
  return { reason: `There is no worker of mediasoup ${version} on this machine.`, remedy: SET_UP };
}

/** Whether a worker is there. */
export function isWorker(found: WorkerBinary | NoWorker): found is WorkerBinary {
  return "path" in found;
}

/** The installed package, if any. */
export function findMediasoup(): { readonly folder: string; readonly version: string } | undefined {
  try {
    // Its package.json is none of its exports.
    const folder = join(dirname(createRequire(import.meta.url).resolve("mediasoup")), "..", "..");
    const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
      readonly version: string;
    };
    return { folder, version };
  } catch {
    return undefined;
  }
}

/** Where a worker built here is kept: outside of `node_modules`, which `npm ci` empties. */
export function builtWorkerPath(version: string, environment: NodeJS.ProcessEnv = process.env): string {
  const { XDG_CACHE_HOME: cache } = environment;
  const root = cache === undefined || cache === "" ? join(homedir(), ".cache") : cache;
  const kind = `${version}-${process.platform}-${process.arch}`;
  return join(root, "parley", "mediasoup-worker", kind, "mediasoup-worker");
}

/** Where mediasoup's own installation puts one. */
function bundledWorkerPath(folder: string): string {
  return join(folder, "worker", "out", "Release", "mediasoup-worker");
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const INSTALL = "Install it: npm ci, or npm install mediasoup beside Parley.";
const SET_UP = "In a checkout: npm run webrtc:setup; beside an installed package: npm rebuild mediasoup.";
