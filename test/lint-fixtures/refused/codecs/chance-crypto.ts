// refused by lint/style/noRestrictedGlobals
export const key = (): Uint8Array => crypto.getRandomValues(new Uint8Array(32));
