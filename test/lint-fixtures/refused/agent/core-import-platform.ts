// refused by lint/style/noRestrictedImports
import { thing } from "../platform/node/thing.ts";

export const borrowed = thing;
