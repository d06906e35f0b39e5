import type { JsonObject } from "../codecs/canonical-json.ts";
import { ok, type Result, refuse } from "../codecs/result.ts";
import type { IdentitySigner, Signed, Verifier } from "../codecs/signer.ts";
import { auditId, readRecord } from "./attribution.ts";
import { type SignedForm, signJws, verifySigned } from "./jws.ts";
import type { LifeEvent } from "./record-log.ts";
import { AGENT_ID, anyObject, DIGEST, integer, object, oneOf, optional, text } from "./shape.ts";

/** What happens to sessions and agents that somebody outside may have to know. Each is the `event` of the record that tells of it. */
export const LIFE_EVENTS = [
  "session-established",
  "session-suspended",
  "session-resumed",
  "media-attached",
  "session-detached",
  "session-rebound",
  "session-restored",
  "terms-narrowed",
  "terms-changed",
  "authority-narrowed",
  "session-terminated",
  "session-expired",
  "agent-registered",
  "agent-activated",
  "agent-suspended",
  "agent-retired",
  "agent-deprecated",
  "certificate-revoked",
] as const;

/** Whether a record tells of a life. Both ends are told of an establishment: the session's first record alone counts. */
export function isLifeEvent({
  event,
  sessionSeq,
}: {
  readonly event: string | undefined;
  readonly sessionSeq: number | undefined;
}): boolean {
  if (event === "session-established") return sessionSeq === 0;
  return NAMES.has(event);
}

/** What a server says of one such record to whoever follows what happens there (`docs/events.md`). */
export type EventPayload = {
  readonly v: 1;
  /** Agent-ID of the server. */
  readonly server: string;
  /** Place of the record in the server's chain: a cursor. */
  readonly seq: number;
  /** `seq` of the event before this one, -1 before the first: who has not seen that one has missed something. */
  readonly previous_seq: number;
  readonly event: string;
  /** RFC 3339, UTC. */
  readonly at: string;
  readonly session_id?: string;
  /** What the record says besides, `extra` there: participants, reason, status and so on. */
  readonly details?: JsonObject;
  /** SHA-256 of `record`. */
  readonly audit_id: string;
  /** The Attribution-Record, compact JWS. */
  readonly record: string;
};

export const LIFE_EVENT: SignedForm<EventPayload> = {
  typ: "parley-event+jwt",
  name: "event",
  shape: object<EventPayload>({
    v: oneOf(1),
    server: AGENT_ID,
    seq: integer(0, Number.MAX_SAFE_INTEGER),
    previous_seq: integer(-1, Number.MAX_SAFE_INTEGER),
    event: text({ min: 1, max: 64, pattern: /^[a-z0-9-]+$/ }),
    at: text({ max: 40 }),
    session_id: optional(text({ max: 128 })),
    details: optional(anyObject()),
    audit_id: DIGEST,
    record: text({ max: 65_536 }),
  }),
};

/** Signs what one record tells, as the server `server` whose chain it is in. Fault: as `readRecord`, for a record that cannot be read. */
export function makeLifeEvent<Key extends IdentitySigner>(
  { chainSeq, previousSeq, jws }: LifeEvent,
  server: { readonly agentId: string; readonly signer: Key },
): Result<Signed<Key, string>> {
  const record = readRecord(jws);
  if (!record.ok) return record;
  const { event, issued_at, session_id, extra } = record.value;
  const payload: EventPayload = {
    v: 1,
    server: server.agentId,
    seq: chainSeq,
    previous_seq: previousSeq ?? -1,
    event: event ?? "",
    at: issued_at,
    ...(session_id === undefined ? {} : { session_id }),
    ...(extra === undefined ? {} : { details: extra }),
    audit_id: auditId(jws),
    record: jws,
  };
  return ok(signJws(LIFE_EVENT.typ, payload, server.signer));
}

/**
 * An event whose signature under the server's identity key (32 raw bytes) holds. Faults: `signature-invalid`, `field-invalid`,
 * `json-not-canonical`.
 */
export function verifyLifeEvent(
  jws: string,
  server: { readonly agentId: string; readonly publicKey: Uint8Array },
  verifier: Verifier,
): Result<EventPayload> {
  const verified = verifySigned(jws, LIFE_EVENT, server.publicKey, verifier);
  if (!verified.ok) return verified;
  const { server: named, audit_id, record } = verified.value;
  if (named !== server.agentId) return refuse("field-invalid", "This is another server's.", "event.server");
  if (audit_id !== auditId(record))
    return refuse("field-invalid", "This is not the record's Audit-ID.", "event.audit_id");
  return verified;
}

const NAMES: ReadonlySet<string | undefined> = new Set<string>(LIFE_EVENTS);
