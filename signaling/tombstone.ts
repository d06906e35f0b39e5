import type { Result } from "../codecs/result.ts";
import type { Signer, Verifier } from "../codecs/signer.ts";
import type { AttributionPayload } from "./attribution.ts";
import { decodeJws, readSigned, type SignedForm, signJws, verifySigned } from "./jws.ts";
import { AGENT_ID, DIGEST, integer, object, oneOf, optional, text } from "./shape.ts";
import { formatUtc } from "./utc-time.ts";

/** What stands in a record's place once what it said was erased: where it was, under which name, and what it followed. */
export type TombstonePayload = {
  readonly tombstone_version: "1";
  /** The server that signed the record, and signs this. */
  readonly agent_id: string;
  /** Name of the record that was here. */
  readonly audit_id: string;
  /** Its place in the server's chain. */
  readonly chain_seq: number;
  readonly previous_audit_id: string;
  /** The session it was about, and its place in that session's chain where it had one. */
  readonly session_id?: string;
  readonly session_seq?: number;
  readonly previous_session_audit_id?: string;
  /** What had happened, e.g. `session-terminated`: not to whom, nor why. */
  readonly event?: string;
  /** The erasure that it fell to: the server's chain has a record of each, event `records-erased`. */
  readonly erasure: number;
  /** RFC 3339, UTC. */
  readonly erased_at: string;
};

/** A record that is to be erased. */
export interface ErasedRecord {
  readonly auditId: string;
  readonly chainSeq: number;
  readonly payload: AttributionPayload;
  readonly erasure: number;
}

/** Signs what takes a record's place, with the server's key. `now` is Unix milliseconds. */
export function makeTombstone(
  { auditId, chainSeq, payload, erasure }: ErasedRecord,
  server: Signer,
  now: number,
): string {
  const { session_id, session_seq, previous_session_audit_id, event } = payload;
  const tombstone: TombstonePayload = {
    tombstone_version: "1",
    agent_id: payload.agent_id,
    audit_id: auditId,
    chain_seq: chainSeq,
    previous_audit_id: payload.previous_audit_id,
    ...(session_id === undefined ? {} : { session_id }),
    ...(session_seq === undefined ? {} : { session_seq }),
    ...(previous_session_audit_id === undefined ? {} : { previous_session_audit_id }),
    ...(event === undefined ? {} : { event }),
    erasure,
    erased_at: formatUtc(now),
  };
  return signJws(TOMBSTONE.typ, tombstone, server);
}

/** Judges a tombstone's signature and form. Faults: `signature-invalid`, `field-invalid`, `json-not-canonical`. */
export function verifyTombstone(
  jws: string,
  publicKey: Uint8Array,
  verifier: Verifier,
): Result<TombstonePayload> {
  return verifySigned(jws, TOMBSTONE, publicKey, verifier);
}

/** A tombstone as it presents itself, its signature not judged; a fault for anything else, a record among them. */
export function readTombstone(jws: string): Result<TombstonePayload> {
  return readSigned(jws, TOMBSTONE);
}

/** Whether this stands in an erased record's place. */
export function isTombstone(jws: string): boolean {
  return decodeJws(jws, TOMBSTONE.typ, TOMBSTONE.name).ok;
}

const SEQ = integer(0, Number.MAX_SAFE_INTEGER);

export const TOMBSTONE: SignedForm<TombstonePayload> = {
  typ: "parley-tombstone+jwt",
  name: "tombstone",
  shape: object<TombstonePayload>({
    tombstone_version: oneOf("1"),
    agent_id: AGENT_ID,
    audit_id: DIGEST,
    chain_seq: SEQ,
    previous_audit_id: DIGEST,
    session_id: optional(text({ max: 128 })),
    session_seq: optional(SEQ),
    previous_session_audit_id: optional(DIGEST),
    event: optional(text({ min: 1, max: 64, pattern: /^[a-z0-9-]+$/ })),
    erasure: integer(1, Number.MAX_SAFE_INTEGER),
    erased_at: text({ max: 40 }),
  }),
};
