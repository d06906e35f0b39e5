/**
 * Whether a text is well-formed XML as far as pictures go: one root, every element closed by its own end tag, attributes quoted
 * and named once, references that XML knows, no stray markup. Returns what is wrong, or undefined.
 */
export function xmlFault(text: string): string | undefined {
  const open: string[] = [];
  let roots = 0;
  let at = 0;
  for (const tag of text.matchAll(/<[^>]*>/g)) {
    const between = text.slice(at, tag.index);
    at = tag.index + tag[0].length;
    if (BAD_TEXT.test(between)) return `stray markup before "${tag[0]}"`;
    if (open.length === 0 && between.trim() !== "") return "text outside the root";
    const [, close, name = "", attributes = "", empty] = TAG.exec(tag[0]) ?? [];
    if (name === "") return `no tag: ${tag[0]}`;
    if (close === "/") {
      if (attributes !== "" || open.pop() !== name) return `</${name}> closes something else`;
      continue;
    }
    const names = [...attributes.matchAll(/\s+([\w:-]+)="([^"<]*)"/g)].map(
      ([, attribute = "", value = ""]) => {
        return BAD_TEXT.test(value) ? "" : attribute;
      },
    );
    if (names.includes("") || new Set(names).size !== names.length) return `bad attributes: ${tag[0]}`;
    if (open.length === 0) roots += 1;
    if (empty !== "/") open.push(name);
  }
  if (text.slice(at).trim() !== "") return "text behind the root";
  if (open.length > 0) return `<${open.at(-1)}> is not closed`;
  return roots === 1 ? undefined : `${roots} roots`;
}

const TAG = /^<(\/?)([A-Za-z][\w:-]*)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>$/;
const BAD_TEXT = /[<>]|&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[\da-fA-F]+);)/;
