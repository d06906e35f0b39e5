// refused by lint/style/noRestrictedImports
import { thing } from "../platform/thing.ts";

export const borrowed = thing;
