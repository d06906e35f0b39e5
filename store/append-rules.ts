import { ParleyError } from "../codecs/parley-error.ts";
import type { LogEntry } from "../signaling/record-log.ts";

/** What a log already holds, or has accepted and not yet written. */
export interface Accepted {
  /** `chainSeq` the next record must have. */
  readonly nextChainSeq: number;
  /** Whether the session has a record of this `session_seq`, or an artifact of this index. */
  has(place: SessionPlace): boolean;
}

/** Where an entry stands in its session. */
export interface SessionPlace {
  readonly kind: "record" | "artifact";
  readonly sessionId: string;
  readonly index: number;
}

/**
 * Refuses what would break a log that only grows: a record out of the chain's order, a place in a session taken
 * twice. Throws `ParleyError` `field-invalid` naming the entry; returns `nextChainSeq` after the entries.
 */
export function checkAppend(entries: readonly LogEntry[], accepted: Accepted): number {
  let next = accepted.nextChainSeq;
  const own = new Set<string>();
  for (const [i, entry] of entries.entries()) {
    if (entry.kind === "record") {
      if (entry.chainSeq !== next) {
        throw refused(`entries[${i}].chainSeq`, `The chain continues with ${next}, not ${entry.chainSeq}.`);
      }
      if (!AUDIT_ID.test(entry.auditId)) {
        throw refused(`entries[${i}].auditId`, "An Audit-ID is 64 lowercase hexadecimal digits.");
      }
      next++;
    }
    const place = placeOf(entry);
    if (place === undefined) continue;
    if (!Number.isSafeInteger(place.index) || place.index < 0) {
      throw refused(`entries[${i}]`, "A position in a session is a whole number from 0.");
    }
    const key = placeKey(place);
    if (own.has(key) || accepted.has(place)) {
      throw refused(`entries[${i}]`, `The session already has ${place.kind} ${place.index}.`);
    }
    own.add(key);
  }
  return next;
}

/** The place an entry takes in a session; `undefined` for agents and for records outside a session. */
export function placeOf(entry: LogEntry): SessionPlace | undefined {
  if (entry.kind === "artifact") return { kind: "artifact", sessionId: entry.sessionId, index: entry.index };
  if (entry.kind !== "record" || entry.sessionId === undefined || entry.sessionSeq === undefined)
    return undefined;
  return { kind: "record", sessionId: entry.sessionId, index: entry.sessionSeq };
}

/** A place as one string, equal only for equal places. */
export function placeKey(place: SessionPlace): string {
  return `${place.kind} ${place.index} ${place.sessionId}`;
}

function refused(at: string, message: string): ParleyError {
  return new ParleyError({ code: "field-invalid", message, at });
}

const AUDIT_ID = /^[0-9a-f]{64}$/;
