/** What people type into the data pane, and how a message reads. */

/** A JSON object or array is sent as it stands; everything else, unfinished JSON included, as `{ "text": … }`. Empty sends nothing. */
export function messageFrom(typed: string): object | undefined {
  const text = typed.trim();
  if (text === "") return undefined;
  if (text.startsWith("{") || text.startsWith("[")) {
    try {
      return JSON.parse(text) as object;
    } catch {
      return { text };
    }
  }
  return { text };
}

/** One message as text: a lone `text` as itself, everything else as indented JSON. */
export function messageText(value: unknown): string {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    const entries = Object.entries(value);
    if (entries.length === 1 && entries[0]?.[0] === "text" && typeof entries[0][1] === "string")
      return entries[0][1];
  }
  return JSON.stringify(value, null, 2);
}
