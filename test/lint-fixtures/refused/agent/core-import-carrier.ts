// refused by lint/style/noRestrictedImports
import { thing } from "../transports/webtransport/thing.ts";

export const borrowed = thing;
