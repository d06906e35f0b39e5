import { createHash, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { basename, dirname, join } from "node:path";
import { ParleyError } from "../../codecs/parley-error.ts";
import { rebindToOlderGlibc } from "./glibc-shim.ts";
import type { NativeBinding } from "./native.ts";

/**
 * Whether a client may be made at all: its socket is an IPv6 one that also speaks IPv4, and without IPv6 in the kernel the binding
 * would abort the process.
 */
export function canDial(): boolean {
  return process.platform !== "linux" || existsSync("/proc/net/if_inet6");
}

let loaded: NativeBinding | undefined;
let kind: "plain" | "rebound" = "plain";

/** Loads the binding as {@link loadBinding} does, and says whether this system took it as it is. Throws `native-unavailable`. */
export function bindingKind(folder?: string): "plain" | "rebound" {
  loadBinding(folder);
  return kind;
}

/**
 * Loads the binding, once per process. Where glibc is too old for it (2.34 to 2.37), a rebound copy is written to `folder`, by default
 * `node_modules/.cache/parley`, readable by this user alone. Throws `native-unavailable`.
 */
export function loadBinding(folder?: string): NativeBinding {
  loaded ??= load(folder);
  return loaded;
}

function load(folder: string | undefined): NativeBinding {
  // Read once, when the binding starts its threads. JavaScript has one of its own, and they work for it: more only take turns with it.
  process.env.TOKIO_WORKER_THREADS ??= String(Math.max(1, Math.floor(availableParallelism() / 2)));
  const require = createRequire(import.meta.url);
  let root: string;
  try {
    // The package exports TypeScript only, which Node does not run inside node_modules: its binding is loaded by path.
    root = dirname(dirname(require.resolve(PACKAGE)));
  } catch (error) {
    throw unavailable(`the package ${PACKAGE} is not installed`, error);
  }
  let failure: unknown;
  try {
    return require(join(root, "napi.cjs")) as NativeBinding;
  } catch (error) {
    failure = error;
  }
  if (process.platform !== "linux" || !messagesOf(failure).includes("GLIBC_2.38"))
    throw unavailable("it does not load on this system", failure);
  const original = findBinary(require, root);
  if (original === undefined) throw unavailable("its binary for this system is not installed", failure);
  kind = "rebound";
  const copy = writeRebound(original, folder ?? join(modulesFolder(root), ".cache", "parley"));
  try {
    return require(copy) as NativeBinding;
  } catch (error) {
    throw unavailable("its rebound copy does not load either", error);
  }
}

/**
 * Writes the copy of `original` that loads on an older glibc into `folder` and returns its path. A copy already there is used
 * only if it has exactly the bytes this process would write. Throws `native-unavailable`.
 */
export function writeRebound(original: string, folder: string): string {
  const rebound = rebindToOlderGlibc(readFileSync(original));
  const digest = createHash("sha256").update(rebound).digest("hex").slice(0, 16);
  const path = join(folder, `${basename(original, ".node")}-${digest}.node`);
  if (holds(path, rebound)) return path;
  const unfinished = `${path}.${randomUUID()}`;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(unfinished, rebound, { mode: 0o700, flag: "wx", flush: true });
    // Another process may do the same at the same time; both rename identical bytes into place.
    renameSync(unfinished, path);
  } catch (error) {
    if (existsSync(unfinished)) rmSync(unfinished);
    throw unavailable(`its copy for this glibc cannot be written to ${folder}; give a data folder`, error);
  }
  return path;
}

function holds(path: string, bytes: Uint8Array): boolean {
  try {
    return readFileSync(path).equals(bytes);
  } catch {
    return false;
  }
}

/** The binary that `napi.cjs` would load on Linux: in the package itself or in its sibling for this processor. */
function findBinary(require: NodeJS.Require, root: string): string | undefined {
  const name = `web-transport.linux-${process.arch}-gnu.node`;
  const beside = join(root, name);
  if (existsSync(beside)) return beside;
  try {
    return require.resolve(`${PACKAGE}-linux-${process.arch}-gnu/${name}`);
  } catch {
    return undefined;
  }
}

function modulesFolder(root: string): string {
  // root is node_modules/@moq/web-transport, symbolic links resolved.
  return dirname(dirname(root));
}

function messagesOf(error: unknown): string {
  let text = "";
  for (let cause = error; cause instanceof Error; cause = cause.cause) text += `${cause.message}\n`;
  return text;
}

function unavailable(why: string, cause: unknown): ParleyError {
  return new ParleyError(
    { code: "native-unavailable", message: `The QUIC binding is not available: ${why}.` },
    { cause },
  );
}

const PACKAGE = "@moq/web-transport";
