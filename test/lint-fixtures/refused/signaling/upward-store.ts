// refused by lint/style/noRestrictedImports
import { thing } from "../store/thing.ts";

export const borrowed = thing;
