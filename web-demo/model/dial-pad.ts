/** Whom one can call: residents of the server first, then other agents by name. */

export interface DialEntry {
  readonly agentId: string;
  readonly name: string;
  /** Kind of a resident, e.g. `echo`; undefined for everybody else. */
  readonly resident: string | undefined;
  readonly online: boolean;
}

/** Merges the server's residents and its directory; oneself, and those who are not online, are left out. */
export function dialEntries(
  me: string | undefined,
  residents: readonly { readonly agent_id: string; readonly name: string; readonly kind: string }[],
  directory: readonly { readonly agentId: string; readonly name: string; readonly online: boolean }[],
): readonly DialEntry[] {
  const listed = new Map(directory.map((listing) => [listing.agentId, listing]));
  const first = residents.map(({ agent_id: agentId, name, kind }) => ({
    agentId,
    name,
    resident: kind,
    online: listed.get(agentId)?.online ?? true,
  }));
  const residing = new Set(first.map(({ agentId }) => agentId));
  const others = directory
    .filter(({ agentId, online }) => online && agentId !== me && !residing.has(agentId))
    .map(({ agentId, name }) => ({ agentId, name, resident: undefined, online: true }))
    .sort((one, other) => one.name.localeCompare(other.name) || (one.agentId < other.agentId ? -1 : 1));
  return [...first, ...others];
}

/** What a resident does when called, in one sentence. */
export function aboutEntry(entry: DialEntry): string {
  if (entry.resident === "echo") return "Says back what it heard, after your turn.";
  if (entry.resident === "reader") return "Reads a text aloud; send it another as data.";
  if (entry.resident !== undefined) return "An agent that lives in this server.";
  return "Another agent that is online now.";
}
