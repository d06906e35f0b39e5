import type { Revocation } from "../signaling/certificate/revocations.ts";
import type { AgentStatus } from "../signaling/identity-document.ts";
import type { AgentEntry, ArtifactKind, LogEntry, StatusChange } from "../signaling/record-log.ts";

type RecordEntry = Extract<LogEntry, { kind: "record" }>;
type ArtifactEntry = Extract<LogEntry, { kind: "artifact" }>;

/** Value of a record: 64 hexadecimal digits of its Audit-ID, then the JWS. */
export function encodeRecord(entry: RecordEntry): string {
  return entry.auditId + entry.jws;
}

/** The inverse of {@link encodeRecord}. */
export function decodeRecord(stored: string): { readonly auditId: string; readonly jws: string } {
  return { auditId: stored.slice(0, AUDIT_ID_LENGTH), jws: stored.slice(AUDIT_ID_LENGTH) };
}

/** Value of an artifact: leg (255 for the server's), length of its kind's name, the name, then its bytes. */
export function encodeArtifact(entry: ArtifactEntry): Uint8Array {
  const name = new TextEncoder().encode(entry.artifact);
  const value = new Uint8Array(2 + name.length + entry.bytes.length);
  value[0] = entry.leg ?? NO_LEG;
  value[1] = name.length;
  value.set(name, 2);
  value.set(entry.bytes, 2 + name.length);
  return value;
}

/** The inverse of {@link encodeArtifact}, with the place its key tells. The bytes are a copy. */
export function decodeArtifact(sessionId: string, index: number, stored: Uint8Array): ArtifactEntry {
  const [leg = NO_LEG, nameLength = 0] = stored;
  return {
    kind: "artifact",
    sessionId,
    index,
    artifact: new TextDecoder().decode(stored.subarray(2, 2 + nameLength)) as ArtifactKind,
    leg: leg === NO_LEG ? undefined : leg,
    bytes: new Uint8Array(stored.subarray(2 + nameLength)),
  };
}

/**
 * Value of an agent: length of its Genesis (u32, big-endian), of one that registered itself with the highest bit set and the time of that (f64,
 * big-endian) behind it; the Genesis, then its identity document.
 */
export function encodeAgent(entry: AgentEntry): Uint8Array {
  const { genesis, identityDocument, selfRegisteredAt } = entry;
  const start = selfRegisteredAt === undefined ? 4 : 12;
  const value = new Uint8Array(start + genesis.length + identityDocument.length);
  const view = new DataView(value.buffer);
  view.setUint32(0, selfRegisteredAt === undefined ? genesis.length : genesis.length + SELF_REGISTERED);
  if (selfRegisteredAt !== undefined) view.setFloat64(4, selfRegisteredAt);
  value.set(genesis, start);
  value.set(identityDocument, start + genesis.length);
  return value;
}

/** The inverse of {@link encodeAgent}, with the Agent-ID its key tells. The bytes are copies. */
export function decodeAgent(agentId: string, stored: Uint8Array): AgentEntry {
  const view = new DataView(stored.buffer, stored.byteOffset);
  const head = view.getUint32(0);
  const isOwn = head >= SELF_REGISTERED;
  const start = isOwn ? 12 : 4;
  const split = start + (isOwn ? head - SELF_REGISTERED : head);
  return {
    agentId,
    genesis: new Uint8Array(stored.subarray(start, split)),
    identityDocument: new Uint8Array(stored.subarray(split)),
    ...(isOwn ? { selfRegisteredAt: view.getFloat64(4) } : {}),
  };
}

/** Value of a change of an agent's status: the status and when. */
export function encodeChange({ status, at, atLeast }: StatusChange): string {
  return `${status} ${at} ${atLeast}`;
}

/** The inverse of {@link encodeChange}. Where it does not say who said so, it counts as the operator's word. */
export function decodeChange(stored: string): StatusChange {
  const [status, at, atLeast = status] = stored.split(" ");
  return { status: status as AgentStatus, at: Number(at), atLeast: atLeast as AgentStatus };
}

/** Value of a revocation, JSON. */
export function encodeRevocation({ agentId, serial, issuerKeyId, reason, effectiveAt }: Revocation): string {
  return JSON.stringify([agentId, serial, issuerKeyId ?? null, reason, effectiveAt]);
}

/** The inverse of {@link encodeRevocation}. */
export function decodeRevocation(stored: string): Revocation {
  const [agentId, serial, issuerKeyId, reason, effectiveAt] = JSON.parse(stored) as [
    string,
    string,
    string | null,
    string,
    number,
  ];
  return { agentId, serial, issuerKeyId: issuerKeyId ?? undefined, reason, effectiveAt };
}

const SELF_REGISTERED = 2 ** 31;
const AUDIT_ID_LENGTH = 64;
const NO_LEG = 255;
