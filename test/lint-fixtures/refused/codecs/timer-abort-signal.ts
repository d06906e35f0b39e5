// refused by lint/style/noRestrictedGlobals
export const deadline = (): unknown => AbortSignal.timeout(20);
