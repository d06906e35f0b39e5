// refused by lint/style/noRestrictedImports
import type { Thing } from "../../transports/websocket/thing.ts";

export type Borrowed = Thing;
