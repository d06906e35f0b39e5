import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ParleyError } from "../../codecs/parley-error.ts";
import { broken, unwritable } from "../../store/data-folder.ts";

/** In the data folder; holds nothing. */
const LOCK_FILE = "server.lock";
/** SQLite's result codes (https://sqlite.org/rescode.html). */
const SQLITE_BUSY = 5;
const SQLITE_NOT_A_DATABASE = 26;

/**
 * Takes a data folder for this server alone until the returned function is called or the process ends, however it ends.
 * Node has no file locks of its own; SQLite's are the operating system's. Throws `data-folder-in-use` where another live
 * server has the folder, `data-folder-unwritable`, `data-folder-broken`.
 */
export function lockFolder(folder: string): () => void {
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(join(folder, LOCK_FILE));
    lock.exec("PRAGMA journal_mode = OFF; BEGIN EXCLUSIVE");
  } catch (error) {
    lock?.close();
    const { errcode } = error as { errcode?: number };
    if (errcode === SQLITE_BUSY) {
      throw new ParleyError(
        { code: "data-folder-in-use", message: `Another server uses the data folder ${folder}.` },
        { cause: error },
      );
    }
    if (errcode === SQLITE_NOT_A_DATABASE)
      throw broken(`${join(folder, LOCK_FILE)} is not a lock file.`, error);
    throw unwritable(folder, error);
  }
  const held = lock;
  return () => held.close();
}
