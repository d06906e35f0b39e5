import type { EvidenceFile } from "../../signaling/switchboard/io.ts";

/** Evidence files kept, and their bytes together; beyond either the one asked for longest ago goes, the newest stays. */
export const MAX_CACHED_FILES = 16;
export const MAX_CACHED_BYTES = 64 * 1024 * 1024;

/** Builds the evidence file of an ended session once and keeps it for those who ask next: it does not change any more. */
export class EvidenceCache {
  readonly #build: (sessionId: string) => EvidenceFile | "erased" | undefined;
  /** By how long ago they were asked for, longest first. */
  readonly #files = new Map<string, EvidenceFile>();
  #bytes = 0;

  constructor(build: (sessionId: string) => EvidenceFile | "erased" | undefined) {
    this.#build = build;
  }

  get size(): number {
    return this.#files.size;
  }

  /** Forgets every file: what some are made of was erased. */
  clear(): void {
    this.#files.clear();
    this.#bytes = 0;
  }

  /** The session's file; `undefined` when there is no such session, `erased` when there was. Throws what building throws. */
  get(sessionId: string): EvidenceFile | "erased" | undefined {
    const file = this.#take(sessionId) ?? this.#build(sessionId);
    if (file === undefined || file === "erased") return file;
    this.#files.set(sessionId, file);
    this.#bytes += file.bytes.length;
    for (const oldest of this.#files.keys()) {
      const isOver = this.#files.size > MAX_CACHED_FILES || this.#bytes > MAX_CACHED_BYTES;
      if (!isOver || oldest === sessionId) break;
      this.#take(oldest);
    }
    return file;
  }

  #take(sessionId: string): EvidenceFile | undefined {
    const file = this.#files.get(sessionId);
    if (file === undefined) return undefined;
    this.#files.delete(sessionId);
    this.#bytes -= file.bytes.length;
    return file;
  }
}
