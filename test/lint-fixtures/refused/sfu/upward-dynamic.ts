// refused by lint/style/noRestrictedImports
export const load = (): Promise<unknown> => import("../platform/node/thing.ts");
