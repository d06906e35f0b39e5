/** The server's signed records of a call, as lines of a list. */

/** One record, as `call.records()` gives it. */
export interface SessionRecord {
  readonly seq: number;
  readonly auditId: string;
  /** RFC 3339, by the server's clock. */
  readonly at: string;
  readonly status: number;
  readonly method?: string | undefined;
  readonly event?: string | undefined;
  readonly reason?: string | undefined;
  /** The signed object itself, in JWS compact form. */
  readonly jws: string;
}

/** Adds what is new, by sequence number, in order. A record once shown is never replaced. */
export function mergeRecords(
  shown: readonly SessionRecord[],
  fetched: readonly SessionRecord[],
): readonly SessionRecord[] {
  const known = new Set(shown.map(({ seq }) => seq));
  const fresh = fetched.filter(({ seq }) => !known.has(seq));
  return fresh.length === 0 ? shown : [...shown, ...fresh].sort((one, other) => one.seq - other.seq);
}

/** What a record is about, in a few words: what happened, or the method where nothing more is said. */
export function recordTitle({ event, method, status }: SessionRecord): string {
  if (event !== undefined) return event.replace(/[._-]+/g, " ");
  return method ?? `status ${status}`;
}

/** What goes beside the title: the method that brought it about, and a reason. */
export function recordDetail({ event, method, reason }: SessionRecord): string {
  const parts = [event === undefined ? undefined : method, reason];
  return parts.filter((part) => part !== undefined).join(", ");
}

/** The signed object laid open: header, payload and signature. What is not a JWS is shown as it came. */
export function openRecord(jws: string): string {
  const [header, payload, signature] = jws.split(".");
  if (header === undefined || payload === undefined || signature === undefined) return jws;
  try {
    const shown = { header: decoded(header), payload: decoded(payload), signature };
    return JSON.stringify(shown, null, 2);
  } catch {
    return jws;
  }
}

function decoded(part: string): unknown {
  const binary = atob(part.replaceAll("-", "+").replaceAll("_", "/"));
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(binary, (letter) => letter.charCodeAt(0))));
}
