// refused by lint/style/noRestrictedGlobals
export const now = (): string => new Intl.DateTimeFormat("en").format();
