// refused by lint/style/noRestrictedGlobals
export const later = (wake: () => void): unknown => setTimeout(wake, 20);
