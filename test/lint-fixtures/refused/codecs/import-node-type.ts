// refused by lint/style/noRestrictedImports
import type { Stats } from "node:fs";

export type Facts = Stats;
