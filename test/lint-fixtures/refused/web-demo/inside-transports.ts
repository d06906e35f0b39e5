// refused by lint/style/noRestrictedImports
export { it } from "../transports/it.ts";
