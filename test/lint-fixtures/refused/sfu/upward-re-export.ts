// refused by lint/style/noRestrictedImports
export { thing } from "../platform/node/thing.ts";
