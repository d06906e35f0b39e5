/**
 * The first member name that stands twice in one object of a JSON text, `undefined` where none does. `text` must be JSON: parse it
 * first. Readers disagree about which of two members counts, so what is signed once could be read two ways.
 */
export function duplicateMember(text: string): string | undefined {
  /** Names of each object that is open; `undefined` for a list. */
  const open: (Set<string> | undefined)[] = [];
  let last: string | undefined;
  for (const [token] of text.matchAll(TOKENS)) {
    const names = open.at(-1);
    if (token === "{") open.push(new Set());
    else if (token === "[") open.push(undefined);
    else if (token === "}" || token === "]") open.pop();
    else if (token === ":" && last !== undefined && names !== undefined) {
      // Escapes are another spelling of the same name.
      const name = JSON.parse(last) as string;
      if (names.has(name)) return name;
      names.add(name);
    }
    last = token.startsWith('"') ? token : undefined;
  }
  return undefined;
}

const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\]:,]/g;
