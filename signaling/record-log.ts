import type { Revocation } from "./certificate/revocations.ts";
import type { AgentStatus } from "./identity-document.ts";
import type { ErasedRecord } from "./tombstone.ts";

/**
 * Records at a session's beginning that tell who takes part in it: an answer to each request of the caller that waited, then the
 * callee's.
 */
export const ROOT_RECORDS = 9;

/** What a session keeps beside its records, in the order it arrived. All of it goes into the evidence. */
export type ArtifactKind =
  | "genesis"
  | "identity-document"
  | "agent-status"
  | "offer"
  | "answer"
  | "core"
  | "core-witness"
  | "media-key"
  | "checkpoint"
  | "receipt"
  | "narrowing"
  | "terms-change"
  | "terms-acceptance"
  | "interrupt"
  | "closing"
  | "counters";

/** One line of the durable log. */
export type LogEntry =
  | {
      readonly kind: "record";
      /** Position in the server's chain, from 0. */
      readonly chainSeq: number;
      /** SHA-256 of `jws`, 64 hex. */
      readonly auditId: string;
      readonly jws: string;
      readonly sessionId: string | undefined;
      readonly sessionSeq: number | undefined;
      /** Set on the session's last record: nothing of the session follows. */
      readonly closesSession?: true;
      /** On a session's first records: an agent that takes part in it. */
      readonly participant?: string;
      /** It tells of a session's or an agent's life: see `isLifeEvent`. */
      readonly isLifeEvent?: true;
    }
  | {
      readonly kind: "artifact";
      readonly sessionId: string;
      /** Position among the session's artifacts, from 0. */
      readonly index: number;
      readonly artifact: ArtifactKind;
      /** Whose it is: 0 caller, 1 callee, `undefined` the server. */
      readonly leg: number | undefined;
      /** Byte-exact. */
      readonly bytes: Uint8Array;
      /** Its name among the session's {@link RecordLog.landmarks}: the newest of a name is found without the others. */
      readonly landmark?: string;
    }
  /**
   * What the server keeps for itself of an open session, to go on with it after a restart; in place of what it kept before. It goes
   * with the session's closing record and is no part of the evidence.
   */
  | { readonly kind: "session-state"; readonly sessionId: string; readonly bytes: Uint8Array }
  | {
      readonly kind: "agent";
      readonly agentId: string;
      readonly genesis: Uint8Array;
      readonly identityDocument: Uint8Array;
      /** It registered itself, Unix milliseconds, and goes when there is no room for others. */
      readonly selfRegisteredAt?: number | undefined;
    }
  /** An agent that registered itself had to go for others: it is as unknown as before. */
  | { readonly kind: "agent-evicted"; readonly agentId: string }
  /** A certificate does not hold any more. Together with the record that says so. */
  | ({ readonly kind: "revocation" } & Revocation)
  /** An erasure is over: with the record that says so. Durable only when what it erased is gone from the disk's file as well. */
  | { readonly kind: "erased"; readonly erasure: number }
  /** The issuer or the operator changed an agent's status. Together with the record that says so, which has this place in the chain. */
  | {
      readonly kind: "lifecycle";
      readonly agentId: string;
      readonly chainSeq: number;
      readonly status: AgentStatus;
      /** Unix milliseconds; not before the identity document it was said over. */
      readonly at: number;
      readonly atLeast: AgentStatus;
    };

/** Whose, or which, records and artifacts are erased. */
export type ErasureTarget =
  /** Whatever names the agent, all artifacts of its sessions, its Genesis and identity document. */
  | { readonly kind: "agent"; readonly agentId: string }
  /** All records and artifacts of a session that is over. */
  | { readonly kind: "session"; readonly sessionId: string }
  /**
   * Records issued before this time (Unix milliseconds), and artifacts of sessions that were over by then. What tells of the status of
   * agents and of erasures stays.
   */
  | { readonly kind: "age"; readonly before: number };

/** An erasure that was begun and is not in the chain yet. */
export interface Erasure {
  /** From 1, never used twice. */
  readonly number: number;
  readonly target: ErasureTarget;
}

/** What an erasure took away. */
export interface ErasureOutcome {
  readonly number: number;
  readonly records: number;
  readonly artifacts: number;
  /** SHA-256, 64 hex: over a line `CHAIN_SEQ AUDIT_ID\n` for each record, in the order of the chain. */
  readonly digest: string;
}

/** Everything the log holds of one session. */
export interface SessionLog {
  readonly sessionId: string;
  /** Attribution-Records (compact JWS) by `session_seq`. */
  readonly records: readonly string[];
  readonly artifacts: readonly Extract<LogEntry, { kind: "artifact" }>[];
}

/** A session that began and has no last record. */
export interface OpenSession {
  readonly sessionId: string;
  /** Place and Audit-ID of its newest record. */
  readonly sessionSeq: number;
  readonly auditId: string;
  /** Artifacts it has; the next one takes this index. */
  readonly artifacts: number;
  /** The `session-state` appended last; absent where none was. */
  readonly state?: Uint8Array;
}

/** A record that tells of a life, and its place among those that do. */
export interface LifeEvent {
  /** Place in the server's chain. */
  readonly chainSeq: number;
  /** Place of the one before it; `undefined` for the first. */
  readonly previousSeq: number | undefined;
  /** The record, compact JWS. */
  readonly jws: string;
}

/** What the issuer or the operator said of an agent's status. */
export interface StatusChange {
  readonly status: AgentStatus;
  /** Unix milliseconds. */
  readonly at: number;
  /** The operator's last word, `active` where it said none: the issuer makes nothing less strict of the agent. */
  readonly atLeast: AgentStatus;
}

/** A registered agent as the log remembers it. */
export interface AgentEntry {
  readonly agentId: string;
  readonly genesis: Uint8Array;
  readonly identityDocument: Uint8Array;
  /** When it registered itself, Unix milliseconds; absent for one that somebody vouched for. */
  readonly selfRegisteredAt?: number | undefined;
  /** How its status was changed last by a lifecycle method; absent where it never was. */
  readonly changed?: StatusChange;
}

/** Append-only, durable, ordered. */
export interface RecordLog {
  /** Resolves when the entries, and all appended before them, survive a crash. Entries of one call appear together or not at all. */
  append(entries: readonly LogEntry[]): Promise<void>;
  /** The last record of the chain, if any. */
  head(): { readonly chainSeq: number; readonly auditId: string } | undefined;
  record(auditId: string): string | undefined;
  session(sessionId: string): SessionLog | undefined;
  /** At most `count` of a session's records, from `session_seq` `from` on, in order; empty where there is none. */
  sessionRecords(sessionId: string, from: number, count: number): readonly string[];
  /** Sessions whose record 0 is here and whose closing record is not, without reading the others. */
  openSessions(): Iterable<OpenSession>;
  /** Of an open session, the newest artifact of each landmark's name, by index; none of a session that is closed. */
  landmarks(sessionId: string): SessionLog["artifacts"];
  agents(): Iterable<AgentEntry>;
  /** Every certificate that was revoked, in no order. */
  revocations(): Iterable<Revocation>;
  /** At most `count` records (compact JWS) of changes of an agent's status before a place of the chain (default: all), the newest first. */
  lifecycle(agentId: string, count: number, before?: number): readonly string[];
  /** At most `count` records that tell of a life, behind place `after` of the chain (-1: from the start), in order. */
  events(after: number, count: number): readonly LifeEvent[];
  /** Place of the last of them, -1 where there is none. */
  lastEvent(): number;
  /** Sessions an agent took part in, the newest first, at most `count`, begun before place `before` of the chain. */
  sessionsOf(
    agentId: string,
    before: number,
    count: number,
  ): readonly { readonly sessionId: string; readonly chainSeq: number }[];
  /** At most `count` records of the chain, or what stands in their place, from place `from` on. */
  chain(from: number, count: number): readonly string[];
  /**
   * Puts a tombstone in the place of every record of the target, and takes its artifacts away, piece by piece beside what else is
   * appended. `number` goes on with an erasure that was begun. Begun, it is among {@link pendingErasures} until an `erased` entry ends
   * it, also over a crash. Resolves when the tombstones are durable; rejects with `capacity`, and has begun nothing, where the disk has no room.
   * `begins` is called, and waited for, once nothing stands against it and before anything is erased.
   */
  erase(
    target: ErasureTarget,
    tombstone: (record: ErasedRecord) => string,
    number?: number,
    begins?: () => Promise<void>,
  ): Promise<ErasureOutcome>;
  /** Erasures to go on with. */
  pendingErasures(): readonly Erasure[];
  /** {@link forgottenMark}s of the agents that were erased. */
  forgotten(): Iterable<string>;
  close(): Promise<void>;
}
