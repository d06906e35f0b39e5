/** Names that tabs went by for a while, each with when a tab last did, Unix milliseconds. */
export type Guests = Readonly<Record<string, number>>;

/** How long a guest that no tab goes by is kept, ms: a browser may bring its tabs back. */
const KEPT_MS = 3 * 24 * 3_600_000;

/** What was kept of them as text; nobody where it is none. */
export function guestsIn(text: string | null): Guests {
  try {
    const read: unknown = JSON.parse(text ?? "{}");
    if (typeof read !== "object" || read === null) return {};
    return Object.fromEntries(Object.entries(read).filter(([, at]) => typeof at === "number"));
  } catch {
    return {};
  }
}

/** With `name` seen now. */
export function withGuest(guests: Guests, name: string, now: number): Guests {
  return { ...guests, [name]: now };
}

/** Without `name`. */
export function withoutGuest(guests: Guests, name: string): Guests {
  const { [name]: _gone, ...others } = guests;
  return others;
}

/** Those that nobody went by for days. */
export function staleGuests(guests: Guests, now: number): string[] {
  return Object.entries(guests)
    .filter(([, at]) => now - at > KEPT_MS)
    .map(([name]) => name);
}
