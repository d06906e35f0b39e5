// refused by lint/style/noRestrictedImports
import type { FileHandle } from "node:fs/promises";

export type Handle = FileHandle;
