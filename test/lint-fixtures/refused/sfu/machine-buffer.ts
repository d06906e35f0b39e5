// refused by lint/style/noRestrictedGlobals
export const bytes = (text: string): Uint8Array => Buffer.from(text, "hex");
