// refused by lint/style/noRestrictedImports, lint/correctness/noNodejsModules
import { readFileSync } from "node:fs";

export const read = readFileSync;
