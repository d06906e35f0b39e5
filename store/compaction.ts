import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  statfsSync,
  statSync,
} from "node:fs";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import type { RootDatabase } from "lmdb";
import { ParleyError } from "../codecs/parley-error.ts";

/** In the data folder while a copy is made; what a killed process left there is of no use. */
const COPY_FOLDER = "compacting";
const OLD_FILE = "old.mdb";
const DATA_FILE = "data.mdb";

/** Makes a copy of the log's file beside it that holds live pages alone. The log may be read meanwhile, not written. */
export async function copyLive(folder: string, root: RootDatabase): Promise<void> {
  await discardLeft(folder);
  const copy = join(folder, COPY_FOLDER);
  mkdirSync(copy, { mode: 0o700 });
  await root.backup(copy, true);
  const file = await open(join(copy, DATA_FILE), "r");
  await file.sync().finally(() => file.close());
}

/**
 * Puts the copy in the place of the closed log's file, which is left for {@link discardLeft}. The log has its name throughout: a crash
 * leaves the old file or the new one there, whole.
 */
export function takeCopy(folder: string): void {
  const [data, copy] = [join(folder, DATA_FILE), join(folder, COPY_FOLDER)];
  // A second name, so that the old file can be reached when the new one has its place.
  keep(data, join(copy, OLD_FILE));
  renameSync(join(copy, DATA_FILE), data);
  sync(folder);
}

/**
 * Removes what a compaction, whole or broken off, leaves beside the log; an old file of the log after writing zeros over it, piece by
 * piece: others' turns come in between.
 */
export async function discardLeft(folder: string): Promise<void> {
  const [data, copy] = [join(folder, DATA_FILE), join(folder, COPY_FOLDER)];
  const old = join(copy, OLD_FILE);
  if (existsSync(old) && isItsOwn(old, data)) await overwrite(old);
  await rm(copy, { recursive: true, force: true });
}

/** Throws `capacity` where the disk has no room for a second copy of the log. */
export function checkRoom(folder: string): void {
  const { bavail, bsize } = statfsSync(folder);
  const { size } = statSync(join(folder, DATA_FILE));
  if (bavail * bsize > size + SPARE_BYTES) return;
  throw new ParleyError({
    code: "capacity",
    message: `To erase takes room for a second copy of the log, ${Math.ceil(size / 2 ** 20)} MiB; the disk has not so much.`,
  });
}

function keep(data: string, old: string): void {
  try {
    linkSync(data, old);
  } catch {
    // A file system without links: its old file goes as it is.
  }
}

/** Until the new file has its place, the old one is the log itself under a second name; others' names for it may be backups. */
function isItsOwn(old: string, data: string): boolean {
  const { dev, ino, nlink } = statSync(old);
  const log = statSync(data);
  return nlink === 1 && (dev !== log.dev || ino !== log.ino);
}

async function overwrite(path: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    const { size } = await file.stat();
    const zeros = new Uint8Array(ZERO_BYTES);
    for (let at = 0; at < size; at += ZERO_BYTES)
      await file.write(zeros, 0, Math.min(ZERO_BYTES, size - at), at);
    await file.sync();
  } finally {
    await file.close();
  }
}

function sync(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

const ZERO_BYTES = 1024 * 1024;
const SPARE_BYTES = 16 * 1024 * 1024;
