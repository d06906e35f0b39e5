import { open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { isJsonObject, parseJson } from "../../codecs/canonical-json.ts";

/** How far the receivers of webhooks have read, by URL: one small file in the data folder, replaced whole. */
export class CursorFile {
  readonly #path: string;
  readonly #cursors: Map<string, number>;
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string, cursors: Map<string, number>) {
    this.#path = path;
    this.#cursors = cursors;
  }

  /**
   * Reads the file in `folder`. Receivers that are not in it begin behind `newest`; where there is something else than such a
   * file, `unreadable` is told and they begin with the first event: what was told before is told again, and nothing is missed.
   */
  static async open(
    folder: string,
    urls: readonly string[],
    newest: number,
    unreadable: () => void,
  ): Promise<CursorFile> {
    const path = join(folder, "webhooks.json");
    const kept = await readCursors(path);
    if (kept === "unreadable") unreadable();
    const cursors = new Map(
      urls.map((url) => [url, kept === "unreadable" ? -1 : (kept.get(url) ?? newest)] as const),
    );
    const file = new CursorFile(path, cursors);
    await file.#write();
    return file;
  }

  of(url: string): number {
    return this.#cursors.get(url) ?? -1;
  }

  /** Resolves when the file survives a crash. */
  keep(url: string, cursor: number): Promise<void> {
    this.#cursors.set(url, cursor);
    this.#writing = this.#writing.catch(() => undefined).then(() => this.#write());
    return this.#writing;
  }

  async #write(): Promise<void> {
    const partial = `${this.#path}.new`;
    const file = await open(partial, "w", 0o600);
    try {
      await file.writeFile(`${JSON.stringify(Object.fromEntries(this.#cursors), null, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, this.#path);
  }
}

async function readCursors(path: string): Promise<ReadonlyMap<string, number> | "unreadable"> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? new Map() : "unreadable";
  }
  const parsed = parseJson(bytes);
  if (!parsed.ok || !isJsonObject(parsed.value)) return "unreadable";
  const entries = Object.entries(parsed.value);
  const cursors = entries.filter(
    (entry): entry is [string, number] => Number.isSafeInteger(entry[1]) && Number(entry[1]) >= -1,
  );
  return cursors.length === entries.length ? new Map(cursors) : "unreadable";
}
