// refused by lint/style/noRestrictedImports
import { thing } from "../agent/thing.ts";

export const borrowed = thing;
