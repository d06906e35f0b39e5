// refused by lint/style/noRestrictedImports
import { thing } from "../node/thing.ts";

export const borrowed = thing;
