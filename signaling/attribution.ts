import { sha256 } from "@noble/hashes/sha2.js";
import type { JsonObject } from "../codecs/canonical-json.ts";
import { encodeHex } from "../codecs/hex.ts";
import { ok, type Result } from "../codecs/result.ts";
import type { Signer, Verifier } from "../codecs/signer.ts";
import { jwsDigest, readSigned, type SignedForm, signJws, verifySigned } from "./jws.ts";
import { AGENT_ID, anyObject, DIGEST, integer, object, oneOf, optional, text } from "./shape.ts";

/** What the first record of a chain names as the one before it. */
export const ZERO_AUDIT_ID = "0".repeat(64);

/** An Attribution-Record (`spec/agtp.md` 6.1): what the server did, for whom, with what result. */
export type AttributionPayload = {
  readonly audit_record_version: "1";
  /** The responding agent: the server itself. */
  readonly agent_id: string;
  /** Empty when unknown, as are the ids below. */
  readonly owner_id: string;
  readonly request_id: string;
  readonly response_id: string;
  /** Audit-ID of the record before this one in the server's chain. */
  readonly previous_audit_id: string;
  /** Place in the server's chain, from 0. Records of older servers lack it. */
  readonly chain_seq?: number;
  readonly server_id: string;
  /** RFC 3339, UTC. */
  readonly issued_at: string;
  /** AGTP status of the answer; 0 for an event that answers nothing. */
  readonly status: number;
  readonly method?: string;
  readonly path?: string;
  /** {@link bodyHash} of the request's and of the answer's body octets. */
  readonly request_hash?: string;
  readonly result_hash?: string;
  readonly task_id?: string;
  readonly action_id?: string;
  readonly counterparty_agent_id?: string;
  readonly session_id?: string;
  /** Place among the records of its session, from 0. */
  readonly session_seq?: number;
  /** Audit-ID of the session's record before this one. */
  readonly previous_session_audit_id?: string;
  /** What happened to the session, e.g. `session-established`. */
  readonly event?: string;
  readonly extra?: JsonObject;
};

/** A signed record and its name. */
export interface SignedRecord {
  readonly jws: string;
  /** SHA-256 of `jws`, 64 hex digits. */
  readonly auditId: string;
  readonly payload: AttributionPayload;
}

/** Signs a record with the server's key. */
export function buildRecord(payload: AttributionPayload, server: Signer): SignedRecord {
  const jws = signJws(ATTRIBUTION.typ, payload, server);
  return { jws, auditId: auditId(jws), payload };
}

/** Judges a record's signature and form. Faults: `signature-invalid`, `field-invalid`, `json-not-canonical`. */
export function verifyRecord(jws: string, publicKey: Uint8Array, verifier: Verifier): Result<SignedRecord> {
  const verified = verifySigned(jws, ATTRIBUTION, publicKey, verifier);
  return verified.ok ? ok({ jws, auditId: auditId(jws), payload: verified.value }) : verified;
}

/** A record as it presents itself, its signature not judged. */
export function readRecord(jws: string): Result<AttributionPayload> {
  return readSigned(jws, ATTRIBUTION);
}

/** The Audit-ID of a record: SHA-256 of its compact form, 64 hex digits. */
export function auditId(jws: string): string {
  return jwsDigest(jws);
}

/** SHA-256 of body octets, 64 hex digits; of no octets where there is no body. */
export function bodyHash(body: Uint8Array = new Uint8Array(0)): string {
  return encodeHex(sha256(body));
}

const ID = text({ max: 128 });

export const ATTRIBUTION: SignedForm<AttributionPayload> = {
  typ: "JWT",
  name: "record",
  shape: object<AttributionPayload>(
    {
      audit_record_version: oneOf("1"),
      agent_id: AGENT_ID,
      owner_id: text({ max: 256 }),
      request_id: ID,
      response_id: ID,
      previous_audit_id: DIGEST,
      chain_seq: optional(integer(0, Number.MAX_SAFE_INTEGER)),
      server_id: text({ max: 256 }),
      issued_at: text({ max: 40, pattern: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/ }),
      status: integer(0, 999),
      method: optional(text({ max: 32 })),
      path: optional(text({ max: 2048 })),
      request_hash: optional(DIGEST),
      result_hash: optional(DIGEST),
      task_id: optional(ID),
      action_id: optional(ID),
      counterparty_agent_id: optional(AGENT_ID),
      session_id: optional(ID),
      session_seq: optional(integer(0, Number.MAX_SAFE_INTEGER)),
      previous_session_audit_id: optional(DIGEST),
      event: optional(text({ min: 1, max: 64, pattern: /^[a-z0-9-]+$/ })),
      extra: optional(anyObject()),
    },
    { open: true },
  ),
};
