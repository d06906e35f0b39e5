// refused by lint/style/noRestrictedGlobals
export const often = (wake: () => void): unknown => setInterval(wake, 20);
