// refused by lint/style/noRestrictedImports
import { thing } from "../src/thing.ts";

export const borrowed = thing;
