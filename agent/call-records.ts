import { ParleyError } from "../codecs/parley-error.ts";
import type { Verifier } from "../codecs/signer.ts";
import { verifyRecord, ZERO_AUDIT_ID } from "../signaling/attribution.ts";
import type { ControlAnswer, ControlChannel } from "./control.ts";

/** One record of a session, signed by the server, its signature and its place checked. */
export interface SessionRecord {
  /** Place among the session's records, from 0. */
  readonly seq: number;
  /** SHA-256 of `jws`, 64 hex digits. */
  readonly auditId: string;
  /** RFC 3339, by the server's clock. */
  readonly at: string;
  /** AGTP status of the answer; 0 for an event that answers nothing. */
  readonly status: number;
  readonly method?: string;
  readonly event?: string;
  /** Why the session ended, in its last record. */
  readonly reason?: string;
  readonly jws: string;
}

/**
 * Reads a session's records behind number `after`, page by page. Each must be signed by the server, of this session, and name
 * the one before it: throws `signature-invalid` or `evidence-invalid` otherwise.
 */
export async function readRecords(
  server: {
    readonly control: Pick<ControlChannel, "request">;
    /** That the call was made with, raw. */
    readonly serverKey: Uint8Array;
    readonly verifier: Verifier;
  },
  sessionId: string,
  after: number | undefined,
): Promise<SessionRecord[]> {
  const { control, serverKey, verifier } = server;
  const records: SessionRecord[] = [];
  let seq = after === undefined ? 0 : after + 1;
  let previous = after === undefined ? ZERO_AUDIT_ID : undefined;
  for (let more = true; more; ) {
    const { result } = await control.request({
      method: "QUERY",
      path: `/sessions/${sessionId}/records`,
      ...(seq === 0 ? {} : { parameters: { after: seq - 1 } }),
    });
    const page = Array.isArray(result.records) ? result.records : [];
    for (const jws of page) {
      const record = verifyRecord(String(jws), serverKey, verifier);
      if (!record.ok) throw new ParleyError(record.fault);
      const { payload, auditId } = record.value;
      const isNext =
        payload.session_id === sessionId &&
        payload.session_seq === seq &&
        (previous === undefined || payload.previous_session_audit_id === previous);
      if (!isNext) {
        throw new ParleyError({
          code: "evidence-invalid",
          message: "A record is missing, added or moved.",
          at: `record ${seq}`,
        });
      }
      const { issued_at: at, status, method, event, extra } = payload;
      const reason = extra?.reason;
      records.push({
        seq,
        auditId,
        at,
        status,
        ...(method === undefined ? {} : { method }),
        ...(event === undefined ? {} : { event }),
        ...(typeof reason === "string" ? { reason } : {}),
        jws: record.value.jws,
      });
      previous = auditId;
      seq += 1;
    }
    more = result.more === true && page.length > 0;
  }
  return records;
}

/** Throws `signature-invalid` unless the record of an answer names what this end signed: the server could deny that it was told. */
export function requireRecorded(answer: ControlAnswer, name: string, digest: string): void {
  if (answer.recorded[name] === digest) return;
  throw new ParleyError({
    code: "signature-invalid",
    message: "The server's record does not name what was signed.",
    at: `Attribution-Record.extra.${name}`,
  });
}
