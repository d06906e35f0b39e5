// refused by lint/style/noRestrictedImports
import type { Thing } from "../../transports/webtransport/thing.ts";

export type Borrowed = Thing;
