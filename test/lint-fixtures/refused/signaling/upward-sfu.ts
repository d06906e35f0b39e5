// refused by lint/style/noRestrictedImports
import { thing } from "../sfu/thing.ts";

export const borrowed = thing;
