// refused by lint/style/noRestrictedImports, lint/correctness/noNodejsModules
export const load = (): Promise<unknown> => import("node:fs");
