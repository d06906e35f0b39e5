import type { JsonObject } from "../codecs/canonical-json.ts";
import type { AgtpRequest, AgtpResponse } from "../codecs/message.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { Verifier } from "../codecs/signer.ts";
import { bodyHash, verifyRecord, ZERO_AUDIT_ID } from "../signaling/attribution.ts";

/** Sessions whose newest record is remembered, many times what an agent may be in; the one heard of longest ago goes. */
const MAX_SESSION_HEADS = 1_024;

/** Who the server is, once its Genesis was checked. */
export interface ServerPeer {
  readonly agentId: string;
  readonly key: Uint8Array;
}

/** The records that a server signs over its answers: each is checked, the newest remembered. */
export class AnswerRecords {
  readonly #verifier: Verifier;
  #server: ServerPeer | undefined;
  #lastAuditId: string = ZERO_AUDIT_ID;
  /** The newest record seen of each session; see `MAX_SESSION_HEADS`. */
  readonly #sessionHeads = new Map<string, { readonly sessionSeq: number; readonly auditId: string }>();

  constructor(verifier: Verifier) {
    this.#verifier = verifier;
  }

  /** The last Audit-ID seen. */
  get lastAuditId(): string {
    return this.#lastAuditId;
  }

  /** The newest Audit-ID seen of one session's own chain; without one, `lastAuditId`. */
  lastAuditIdOf(sessionId: string): string {
    return this.sessionHead(sessionId) ?? this.#lastAuditId;
  }

  /** The newest Audit-ID seen of one session's own chain. */
  sessionHead(sessionId: string): string | undefined {
    return this.#sessionHeads.get(sessionId)?.auditId;
  }

  /** The server's key, raw. Throws `closed` before the server is known. */
  get serverKey(): Uint8Array {
    if (this.#server !== undefined) return this.#server.key;
    throw new ParleyError({ code: "closed", message: "The server is not known yet." });
  }

  /** From here on every record must be signed by this server. */
  trust(server: ServerPeer): void {
    this.#server = server;
  }

  /** The answer's Attribution-Record must be the server's, hash to its Audit-ID, and be of this answer to this request. */
  check(response: AgtpResponse, message: AgtpRequest): JsonObject {
    const auditId = response.headers.get("Audit-ID");
    const jws = response.headers.get("Attribution-Record");
    if (this.#server === undefined) {
      if (auditId !== undefined) this.#lastAuditId = auditId;
      return {};
    }
    const record = jws === undefined ? undefined : verifyRecord(jws, this.#server.key, this.#verifier);
    const isOfThis =
      record?.ok === true &&
      record.value.auditId === auditId &&
      record.value.payload.status === response.status &&
      record.value.payload.request_id === message.headers.get("Request-ID") &&
      record.value.payload.result_hash === bodyHash(response.body);
    if (!isOfThis) {
      throw new ParleyError({
        code: "signature-invalid",
        message: "The answer carries no record that the server signed.",
        at: "Attribution-Record",
      });
    }
    this.#lastAuditId = auditId;
    const { session_id: sessionId, session_seq: sessionSeq, extra = {} } = record.value.payload;
    if (sessionId !== undefined && sessionSeq !== undefined) this.#noteHead(sessionId, sessionSeq, auditId);
    return extra;
  }

  #noteHead(sessionId: string, sessionSeq: number, auditId: string): void {
    const known = this.#sessionHeads.get(sessionId);
    if (known !== undefined && known.sessionSeq >= sessionSeq) return;
    // Deleted first, so that the map stays in order of what was heard of last.
    this.#sessionHeads.delete(sessionId);
    this.#sessionHeads.set(sessionId, { sessionSeq, auditId });
    if (this.#sessionHeads.size <= MAX_SESSION_HEADS) return;
    for (const oldest of this.#sessionHeads.keys()) {
      this.#sessionHeads.delete(oldest);
      return;
    }
  }
}
