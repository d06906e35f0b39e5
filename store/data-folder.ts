import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readSync,
  statSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { ParleyError } from "../codecs/parley-error.ts";

/**
 * Makes `folder`, for its owner alone, and makes sure that an LMDB environment can be opened in it. Throws `ParleyError`
 * `data-folder-unwritable`, or `data-folder-broken` where `data.mdb` is something else: lmdb would end the process on it.
 */
export function prepareFolder(folder: string): void {
  try {
    makeFolder(resolve(folder));
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw unwritable(folder, cause);
  }
  let start: Uint8Array | undefined;
  try {
    start = readStart(join(folder, "data.mdb"));
  } catch (cause) {
    throw broken(`${join(folder, "data.mdb")} cannot be read.`, cause);
  }
  if (start === undefined || start.length === 0) return;
  const view = new DataView(start.buffer, start.byteOffset, start.length);
  const known =
    start.length === HEADER_BYTES &&
    view.getUint32(MAGIC_AT, true) === MAGIC &&
    view.getUint16(VERSION_AT, true) === DATA_VERSION;
  if (!known) throw broken(`${join(folder, "data.mdb")} is not a record log.`);
}

/** Leaves the files of the LMDB environment in `folder` to their owner alone, also where the folder is others' to look into. */
export function closeToOthers(folder: string): void {
  for (const name of ["data.mdb", "lock.mdb"]) {
    try {
      chmodSync(join(folder, name), 0o600);
    } catch {
      // Somebody else's file: its owner lets this one in.
    }
  }
}

/** Whether other accounts of the machine may look into the folder. */
export function isOpenToOthers(folder: string): boolean {
  return process.platform !== "win32" && (statSync(folder).mode & 0o077) !== 0;
}

/** The folder cannot be made or written; `cause` says why. */
export function unwritable(folder: string, cause: unknown): ParleyError {
  return new ParleyError(
    { code: "data-folder-unwritable", message: `The data folder ${folder} cannot be written.` },
    { cause },
  );
}

/** The folder holds something that is not a record log of this version. */
export function broken(message: string, cause?: unknown): ParleyError {
  return new ParleyError(
    { code: "data-folder-broken", message },
    cause === undefined ? undefined : { cause },
  );
}

/** One level at a time: Node's `recursive` never returns on file systems that refuse with ENOENT, as /proc does. */
function makeFolder(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "EEXIST") return;
    if (code !== "ENOENT" || dirname(path) === path) throw error;
    makeFolder(dirname(path));
    mkdirSync(path, { mode: 0o700 });
  }
}

/** The first bytes of a file, fewer where it is shorter; `undefined` where there is none. */
function readStart(path: string): Uint8Array | undefined {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const start = new Uint8Array(HEADER_BYTES);
    return start.subarray(0, readSync(file, start));
  } finally {
    closeSync(file);
  }
}

/** LMDB's first meta page: a page header of 24 bytes, then MDB_MAGIC and the data version, in the machine's order. */
const MAGIC_AT = 24;
const VERSION_AT = 28;
const HEADER_BYTES = 32;
const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
