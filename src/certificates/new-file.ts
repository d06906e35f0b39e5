import { link, open, unlink } from "node:fs/promises";
import { encodeHex } from "../../codecs/hex.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { random } from "../../platform/node/sodium.ts";

/**
 * Writes a file that there was not, whole or not at all. `isSecret`: readable by its owner alone. Throws `key-file-invalid` where there is
 * one already, which is never overwritten, or none can be written.
 */
export async function writeNewFile(path: string, text: string, isSecret: boolean): Promise<void> {
  const unfinished = `${path}.${encodeHex(random(6))}.tmp`;
  try {
    const handle = await open(unfinished, "wx", isSecret ? 0o600 : 0o644);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    // link() refuses where a file is.
    await link(unfinished, path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why = code === "EEXIST" ? "exists already" : `cannot be written: ${code}`;
    throw new ParleyError({ code: "key-file-invalid", message: `The file ${path} ${why}.` }, { cause });
  } finally {
    await unlink(unfinished).catch(() => undefined);
  }
}
