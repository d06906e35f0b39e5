// refused by lint/style/noRestrictedImports
import { thing } from "../signaling/thing.ts";

export const borrowed = thing;
