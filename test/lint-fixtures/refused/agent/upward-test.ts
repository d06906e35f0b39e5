// refused by lint/style/noRestrictedImports
import { thing } from "../test/net/thing.ts";

export const borrowed = thing;
