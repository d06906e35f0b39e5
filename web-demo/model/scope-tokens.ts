/** Tokens of a scope, for people. */

/** One word for capture and transmit of everything. */
const BILATERAL = "communication:bilateral";
/** What a call is claimed with in which voice, pictures and data may be sent, whichever of them it begins with. */
export const EVERYTHING = ["audio", "video", "data"].flatMap((modality) =>
  ["capture", "transmit"].map((what) => `communication:${modality}:${what}`),
);

/** The same scope with nothing said in one word for several. */
export function spelledOut(scope: readonly string[]): readonly string[] {
  return scope.flatMap((token) => (token === BILATERAL ? EVERYTHING : [token]));
}

/** Claims authority for pictures that may be opened later, where the call is offered with it; else what it begins with is enough. */
export function scopeWithin(offered: readonly string[]): { readonly scope?: readonly string[] } {
  const claimed = spelledOut(offered);
  return EVERYTHING.every((token) => claimed.includes(token)) ? { scope: EVERYTHING } : {};
}
