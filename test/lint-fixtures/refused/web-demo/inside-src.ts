// refused by lint/style/noRestrictedImports
export { it } from "../src/it.ts";
