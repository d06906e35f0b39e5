// refused by lint/style/noRestrictedGlobals
export const later = (wake: () => void): unknown => window.setTimeout(wake, 20);
