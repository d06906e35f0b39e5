// refused by lint/style/noRestrictedImports
import { thing } from "../transports/thing.ts";

export const borrowed = thing;
