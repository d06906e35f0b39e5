// refused by lint/style/noRestrictedGlobals
export const now = (): number => performance.now();
