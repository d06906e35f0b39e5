import { accessSync, constants, statSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { usageError } from "./output.ts";

/** A whole file given on the command line. Throws `usage`. */
export async function readInput(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw usageError(`${path} cannot be read: ${codeOf(cause)}.`, cause);
  }
}

/** Writes a whole file asked for on the command line. Throws `usage`. */
export async function writeOutput(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeFile(path, bytes);
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

/** Makes sure, before a call is made, that what it yields can be written. Throws `usage`. */
export function requireWritable(...paths: readonly (string | undefined)[]): void {
  for (const path of paths) {
    if (path === undefined) continue;
    try {
      const exists = statSync(path, { throwIfNoEntry: false });
      if (exists?.isDirectory() === true) throw Object.assign(new Error("a folder"), { code: "EISDIR" });
      accessSync(exists === undefined ? dirname(path) : path, constants.W_OK);
    } catch (cause) {
      throw unwritable(path, cause);
    }
  }
}

/** `usage` for an output file. */
export function unwritable(path: string, cause: unknown): Error {
  return usageError(`${path} cannot be written: ${codeOf(cause)}.`, cause);
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}
