/** The worker, built from the source in mediasoup's package by the `CMakeLists.txt` beside this file. */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { builtWorkerPath } from "../../transports/webrtc/worker-binary.ts";
import { KIT, kitDigest, MARK } from "./usable.ts";

/** Debian packages that building takes and that are not there. */
export function missingPackages(): readonly string[] {
  return NEEDED.filter((name) => spawnSync("dpkg", ["-s", name], { stdio: "ignore" }).status !== 0);
}

/** Builds it into the cache. Throws with the end of what the compiler said. */
export function buildWorker({ folder, version }: { readonly folder: string; readonly version: string }): {
  readonly path: string;
  readonly seconds: number;
} {
  const began = performance.now();
  const scratch = mkdtempSync(join(tmpdir(), "parley-mediasoup-worker-"));
  try {
    run(["cmake", "-S", KIT, "-B", scratch, "-G", "Ninja", `-DMEDIASOUP_DIR=${folder}`]);
    run(["cmake", "--build", scratch]);
    const path = builtWorkerPath(version);
    mkdirSync(dirname(path), { recursive: true });
    // A server that runs keeps the file it was started from.
    const fresh = `${path}.${process.pid}`;
    copyFileSync(join(scratch, "mediasoup-worker"), fresh);
    writeFileSync(join(dirname(path), MARK), `${kitDigest()}\n`);
    renameSync(fresh, path);
    return { path, seconds: Math.round((performance.now() - began) / 1_000) };
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function run([command = "", ...args]: readonly string[]): void {
  const { status, error, stdout, stderr } = spawnSync(command, args, {
    encoding: "utf8",
    maxBuffer: MAX_OUTPUT_BYTES,
  });
  if (status === 0) return;
  const said = error?.message ?? `${stdout}${stderr}`.trimEnd().split("\n").slice(-SHOWN_LINES).join("\n");
  throw new Error(`${command} ${args[0]} failed:\n${said}`);
}

const NEEDED = [
  ...["g++", "cmake", "ninja-build", "pkg-config"],
  ...[
    "libuv1-dev",
    "libssl-dev",
    "libsrtp2-dev",
    "libabsl-dev",
    "libflatbuffers-dev",
    "flatbuffers-compiler",
  ],
] as const;
const MAX_OUTPUT_BYTES = 64 * 1_048_576;
const SHOWN_LINES = 20;
