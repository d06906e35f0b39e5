// refused by lint/style/noRestrictedGlobals
export const now = (): string => new Date().toISOString();
