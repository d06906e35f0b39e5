// refused by lint/style/noRestrictedImports, lint/correctness/noNodejsModules
import { randomBytes } from "node:crypto";

export const seed = randomBytes;
