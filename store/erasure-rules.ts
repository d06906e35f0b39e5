import { sha256 } from "@noble/hashes/sha2.js";
import { encodeHex } from "../codecs/hex.ts";
import { type AttributionPayload, readRecord } from "../signaling/attribution.ts";
import type { Revocation } from "../signaling/certificate/revocations.ts";
import { forgottenMark } from "../signaling/forgotten.ts";
import type { ErasureTarget } from "../signaling/record-log.ts";
import { readTombstone } from "../signaling/tombstone.ts";
import { parseUtc } from "../signaling/utc-time.ts";

/** Events whose records age does not take: what agents there are and what may be, and what was erased. */
const KEPT_EVENTS: ReadonlySet<string> = new Set([
  "agent-registered",
  "agent-activated",
  "agent-suspended",
  "agent-deprecated",
  "agent-retired",
  "certificate-revoked",
  "records-erased",
]);

/** What an erasure does about one place of the chain. */
export type Decision =
  | { readonly kind: "erase"; readonly payload: AttributionPayload }
  /** A tombstone; of this erasure where the numbers are the same. */
  | { readonly kind: "erased"; readonly erasure: number }
  | { readonly kind: "keep" }
  /** Nothing behind it is of the target. */
  | { readonly kind: "stop" };

/** Judges what stands in one place. `isOver` says whether a session ended before a time, or never was. */
export function decide(
  jws: string,
  target: ErasureTarget,
  isOver: (sessionId: string, before: number) => boolean,
): Decision {
  const tombstone = readTombstone(jws);
  if (tombstone.ok) return { kind: "erased", erasure: tombstone.value.erasure };
  const record = readRecord(jws);
  // What cannot be read cannot be judged, and nothing of ours is.
  if (!record.ok) return { kind: "keep" };
  const payload = record.value;
  switch (target.kind) {
    case "agent":
      return JSON.stringify(payload).includes(target.agentId) ? { kind: "erase", payload } : { kind: "keep" };
    case "session":
      return payload.session_id === target.sessionId ? { kind: "erase", payload } : { kind: "keep" };
    case "age": {
      if (timeOf(payload) >= target.before) return { kind: "stop" };
      if (KEPT_EVENTS.has(payload.event ?? "")) return { kind: "keep" };
      const { session_id: sessionId } = payload;
      const isDue = sessionId === undefined || isOver(sessionId, target.before);
      return isDue ? { kind: "erase", payload } : { kind: "keep" };
    }
  }
}

/** When a record was issued, Unix milliseconds; the end of time where it does not say. */
export function timeOf({ issued_at }: AttributionPayload): number {
  const time = parseUtc(issued_at);
  return time.ok ? time.value : Number.POSITIVE_INFINITY;
}

/** What stays of a revocation when its agent is erased: the certificate does not hold again, and nothing says whose it was. */
export function withoutName(revocation: Revocation): Revocation {
  return { ...revocation, agentId: forgottenMark(revocation.agentId) };
}

/** A revocation's name in the log. */
export function revocationKey({ issuerKeyId, agentId, serial }: Revocation): string {
  return `${issuerKeyId ?? agentId}/${serial}`;
}

/** Counts what an erasure erased, and names it all by one digest. */
export class Tally {
  readonly #hash = sha256.create();
  records = 0;

  add(chainSeq: number, auditId: string): void {
    this.records += 1;
    this.#hash.update(new TextEncoder().encode(`${chainSeq} ${auditId}\n`));
  }

  digest(): string {
    return encodeHex(this.#hash.digest());
  }
}
