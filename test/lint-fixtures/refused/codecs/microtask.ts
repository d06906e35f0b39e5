// refused by lint/style/noRestrictedGlobals
export const soon = (wake: () => void): void => queueMicrotask(wake);
