// refused by lint/style/noRestrictedImports, lint/correctness/noNodejsModules
import { readFile } from "node:fs/promises";

export const read = readFile;
