import type { JsonObject } from "../codecs/canonical-json.ts";
import { ok, type Result, refuse } from "../codecs/result.ts";
import type { Signer, Verifier } from "../codecs/signer.ts";
import {
  type AttributionPayload,
  buildRecord,
  type SignedRecord,
  verifyRecord,
  ZERO_AUDIT_ID,
} from "./attribution.ts";
import { isTombstone, type TombstonePayload, verifyTombstone } from "./tombstone.ts";
import { formatUtc } from "./utc-time.ts";

/** Where a chain stands: the place of its last record, from 0, and that record's Audit-ID. */
export interface ChainHead {
  readonly chainSeq: number;
  readonly auditId: string;
}

/** What one record says, apart from whose it is and where it stands in the chains. */
export interface RecordFields {
  readonly requestId?: string | undefined;
  readonly responseId?: string | undefined;
  /** AGTP status of the answer; 0 for an event that answers nothing. */
  readonly status: number;
  readonly method?: string | undefined;
  readonly path?: string | undefined;
  /** `bodyHash` of the request's and of the answer's body octets. */
  readonly requestHash?: string | undefined;
  readonly resultHash?: string | undefined;
  readonly taskId?: string | undefined;
  readonly actionId?: string | undefined;
  /** The session it is about, where the record does not join that session's chain. */
  readonly sessionId?: string | undefined;
  /** The agent that asked. */
  readonly counterpartyAgentId?: string | undefined;
  readonly event?: string | undefined;
  readonly extra?: JsonObject | undefined;
}

/** A record with its place in the chains: what the durable log keeps. */
export interface ChainedRecord extends SignedRecord {
  readonly chainSeq: number;
  readonly sessionId: string | undefined;
  readonly sessionSeq: number | undefined;
}

/** Whose records a chain holds. */
export interface ChainOwner {
  readonly agentId: string;
  readonly ownerId: string;
  /** The host as the Server-ID header names it. */
  readonly serverId: string;
}

/** The chain of one session's records inside the server's. Owned by the session, advanced by {@link RecordChain}. */
export class SessionLink {
  readonly sessionId: string;
  #seq: number;
  #auditId: string;

  /** `last` is the session's last record where a chain is taken up again. */
  constructor(sessionId: string, last?: { readonly sessionSeq: number; readonly auditId: string }) {
    this.sessionId = sessionId;
    this.#seq = last === undefined ? 0 : last.sessionSeq + 1;
    this.#auditId = last?.auditId ?? ZERO_AUDIT_ID;
  }

  /** The `session_seq` that the next record takes. */
  get nextSeq(): number {
    return this.#seq;
  }

  /** Audit-ID of the last record; 64 zeros before the first. */
  get lastAuditId(): string {
    return this.#auditId;
  }

  /** @internal */
  advance(auditId: string): void {
    this.#seq += 1;
    this.#auditId = auditId;
  }
}

/**
 * Signs a server's records in one chain. A record counts from the moment `next` returns: it must then be appended to
 * the log in the same order, since the one after it names it.
 */
export class RecordChain {
  readonly #owner: ChainOwner;
  readonly #signer: Signer;
  #head: ChainHead | undefined;

  /** `head` is where a chain is taken up again; absent, it starts. */
  constructor(owner: ChainOwner, signer: Signer, head?: ChainHead) {
    this.#owner = owner;
    this.#signer = signer;
    this.#head = head;
  }

  /** The last record signed, if any. */
  get head(): ChainHead | undefined {
    return this.#head;
  }

  /** The next record of the chain, and of the session's where one is given. `now` is Unix milliseconds. */
  next(fields: RecordFields, now: number, session?: SessionLink): ChainedRecord {
    const chainSeq = this.#head === undefined ? 0 : this.#head.chainSeq + 1;
    const payload: AttributionPayload = {
      audit_record_version: "1",
      agent_id: this.#owner.agentId,
      owner_id: this.#owner.ownerId,
      server_id: this.#owner.serverId,
      request_id: fields.requestId ?? "",
      response_id: fields.responseId ?? "",
      previous_audit_id: this.#head?.auditId ?? ZERO_AUDIT_ID,
      chain_seq: chainSeq,
      issued_at: formatUtc(now),
      status: fields.status,
      ...present({
        method: fields.method,
        path: fields.path,
        request_hash: fields.requestHash,
        result_hash: fields.resultHash,
        task_id: fields.taskId,
        action_id: fields.actionId,
        counterparty_agent_id: fields.counterpartyAgentId,
        session_id: session?.sessionId ?? fields.sessionId,
        session_seq: session?.nextSeq,
        previous_session_audit_id: session?.lastAuditId,
        event: fields.event,
        extra: fields.extra,
      }),
    };
    const record = buildRecord(payload, this.#signer);
    const sessionSeq = session?.nextSeq;
    this.#head = { chainSeq, auditId: record.auditId };
    session?.advance(record.auditId);
    return { ...record, chainSeq, sessionId: session?.sessionId, sessionSeq };
  }
}

/** One place of a chain: its record, or the tombstone of one that was erased. */
export type ChainPlace =
  | ({ readonly kind: "record" } & SignedRecord)
  | {
      readonly kind: "erased";
      readonly jws: string;
      /** Name of the record that was here. */
      readonly auditId: string;
      readonly payload: TombstonePayload;
    };

/**
 * Judges consecutive records of a server's chain: every signature, that each names the one before, and that places are counted without a
 * gap. Tombstones stand for what was erased: under the name that the next record gives. `after` is the Audit-ID before the first (default:
 * the start of the chain). Faults: `evidence-invalid` at the first break, `record N` counting from 0.
 */
export function verifyServerChain(
  records: readonly string[],
  expected: { readonly publicKey: Uint8Array; readonly after?: string },
  verifier: Verifier,
): Result<readonly ChainPlace[]> {
  let count: number | undefined;
  return verifyLinks(records, expected.publicKey, verifier, ({ payload }, _index, previous) => {
    const isNext = count === undefined || payload.chain_seq === undefined || payload.chain_seq === count;
    count = payload.chain_seq === undefined ? count && count + 1 : payload.chain_seq + 1;
    if (!isNext) return "Its chain_seq is not the next one.";
    return payload.previous_audit_id === (previous ?? expected.after ?? ZERO_AUDIT_ID)
      ? undefined
      : "It does not follow the record before it.";
  });
}

/**
 * Judges all records of one session, from its first: signatures, session, `session_seq` without a gap, and that each
 * names the one before; tombstones as in {@link verifyServerChain}. Faults: `evidence-invalid` at the first break, `record N`
 * counting from 0.
 */
export function verifySessionChain(
  records: readonly string[],
  expected: { readonly publicKey: Uint8Array; readonly sessionId: string },
  verifier: Verifier,
): Result<readonly ChainPlace[]> {
  return verifyLinks(records, expected.publicKey, verifier, ({ payload }, index, previous) => {
    if (payload.session_id !== expected.sessionId) return "It belongs to another session.";
    if (payload.session_seq !== index) return `Its session_seq is not ${index}.`;
    if (payload.previous_session_audit_id !== (previous ?? ZERO_AUDIT_ID)) {
      return "It does not follow the session's record before it.";
    }
    return undefined;
  });
}

/** Says what is wrong with a record's place, given the Audit-ID of the one before; `undefined` when nothing is. */
type LinkCheck = (place: ChainPlace, index: number, previous: string | undefined) => string | undefined;

function verifyLinks(
  records: readonly string[],
  publicKey: Uint8Array,
  verifier: Verifier,
  check: LinkCheck,
): Result<readonly ChainPlace[]> {
  const verified: ChainPlace[] = [];
  for (const [index, jws] of records.entries()) {
    const place = verifyPlace(jws, publicKey, verifier);
    const broken = place.ok
      ? check(place.value, index, verified.at(-1)?.auditId)
      : `${place.fault.message} (${place.fault.at})`;
    if (broken !== undefined) return refuse("evidence-invalid", broken, `record ${index}`);
    if (place.ok) verified.push(place.value);
  }
  return ok(verified);
}

/** Judges what stands in one place of a chain. Faults: `signature-invalid`, `field-invalid`, `json-not-canonical`. */
export function verifyPlace(jws: string, publicKey: Uint8Array, verifier: Verifier): Result<ChainPlace> {
  if (isTombstone(jws)) {
    const tombstone = verifyTombstone(jws, publicKey, verifier);
    if (!tombstone.ok) return tombstone;
    return ok({ kind: "erased", jws, auditId: tombstone.value.audit_id, payload: tombstone.value });
  }
  const record = verifyRecord(jws, publicKey, verifier);
  return record.ok ? ok({ kind: "record", ...record.value }) : record;
}

/** `members` without those that are `undefined`. */
function present<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
