/** Tokens of a scope, for people. */

/** One word for capture and transmit of everything. */
const BILATERAL = "communication:bilateral";
const SPELLED_OUT = ["audio", "video", "data"].flatMap((modality) =>
  ["capture", "transmit"].map((what) => `communication:${modality}:${what}`),
);

/** The same scope with nothing said in one word for several. */
export function spelledOut(scope: readonly string[]): readonly string[] {
  return scope.flatMap((token) => (token === BILATERAL ? SPELLED_OUT : [token]));
}
