// refused by lint/style/noRestrictedImports
export { it } from "../codecs/it.ts";
