// refused by lint/style/noRestrictedGlobals
export const where = (): string => process.cwd();
