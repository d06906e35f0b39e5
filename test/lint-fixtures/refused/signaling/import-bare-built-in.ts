// refused by lint/style/noRestrictedImports, lint/correctness/noNodejsModules, lint/style/useNodejsImportProtocol
import { readFileSync } from "fs";

export const read = readFileSync;
