// refused by lint/style/noRestrictedImports
export { it } from "../agent/it.ts";
