// refused by lint/style/noRestrictedGlobals, lint/correctness/noNodejsModules, lint/style/useNodejsImportProtocol
export const disk: unknown = require("fs");
