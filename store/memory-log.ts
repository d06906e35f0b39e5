import { ParleyError } from "../codecs/parley-error.ts";
import { type AttributionPayload, readRecord } from "../signaling/attribution.ts";
import type { Revocation } from "../signaling/certificate/revocations.ts";
import { forgottenMark } from "../signaling/forgotten.ts";
import type {
  AgentEntry,
  Erasure,
  ErasureOutcome,
  ErasureTarget,
  LifeEvent,
  LogEntry,
  OpenSession,
  RecordLog,
  SessionLog,
} from "../signaling/record-log.ts";
import type { ErasedRecord } from "../signaling/tombstone.ts";
import { checkAppend } from "./append-rules.ts";
import { decide, revocationKey, Tally, timeOf, withoutName } from "./erasure-rules.ts";

type RecordEntry = Extract<LogEntry, { kind: "record" }>;
type ArtifactEntry = Extract<LogEntry, { kind: "artifact" }>;
type LifecycleEntry = Extract<LogEntry, { kind: "lifecycle" }>;

interface Session {
  readonly records: Map<number, RecordEntry>;
  readonly artifacts: Map<number, ArtifactEntry>;
  /** Index by name. */
  readonly landmarks: Map<string, number>;
  state: Uint8Array | undefined;
}

/**
 * A {@link RecordLog} in the process's memory: for tests and for servers embedded in a program that keeps no records.
 * Nothing survives the process, and it grows until it is dropped. Same rules and errors as the log on disk.
 */
export function createMemoryLog(): RecordLog {
  return new MemoryLog();
}

class MemoryLog implements RecordLog {
  readonly #records = new Map<string, string>();
  readonly #sessions = new Map<string, Session>();
  readonly #open = new Set<string>();
  readonly #agents = new Map<string, AgentEntry>();
  /** By Agent-ID, in the order of the chain. */
  readonly #lifecycle = new Map<string, LifecycleEntry[]>();
  /** Every record, or the tombstone in its place, by its place. */
  readonly #chain: { readonly auditId: string; jws: string }[] = [];
  /** By Agent-ID, in the order of the chain. */
  readonly #participants = new Map<string, { readonly sessionId: string; readonly chainSeq: number }[]>();
  readonly #erasures = new Map<number, Erasure>();
  readonly #forgotten = new Set<string>();
  #newestErasure = 0;
  /** Places of records that tell of a life, in order. */
  readonly #events: number[] = [];
  readonly #revocations = new Map<string, Revocation>();
  #head: { readonly chainSeq: number; readonly auditId: string } | undefined;
  #closed = false;

  async append(entries: readonly LogEntry[]): Promise<void> {
    this.#assertOpen();
    checkAppend(entries, {
      nextChainSeq: this.#head === undefined ? 0 : this.#head.chainSeq + 1,
      has: ({ kind, sessionId, index }) => {
        const session = this.#sessions.get(sessionId);
        return (kind === "record" ? session?.records : session?.artifacts)?.has(index) ?? false;
      },
    });
    for (const entry of entries) {
      if (entry.kind === "record") this.#addRecord(entry);
      else if (entry.kind === "artifact") this.#addArtifact(entry);
      else if (entry.kind === "session-state") {
        this.#session(entry.sessionId).state = entry.bytes.slice();
      } else if (entry.kind === "revocation") {
        const { kind: _kind, ...revocation } = entry;
        this.#revocations.set(revocationKey(revocation), revocation);
      } else if (entry.kind === "lifecycle") {
        this.#lifecycle.set(entry.agentId, [...(this.#lifecycle.get(entry.agentId) ?? []), entry]);
      } else if (entry.kind === "erased") {
        this.#erasures.delete(entry.erasure);
      } else if (entry.kind === "agent-evicted") {
        this.#agents.delete(entry.agentId);
      } else {
        const { agentId, genesis, identityDocument, selfRegisteredAt } = entry;
        this.#agents.set(agentId, {
          ...{ agentId, genesis: genesis.slice(), identityDocument: identityDocument.slice() },
          ...(selfRegisteredAt === undefined ? {} : { selfRegisteredAt }),
        });
      }
    }
  }

  head(): { readonly chainSeq: number; readonly auditId: string } | undefined {
    this.#assertOpen();
    return this.#head;
  }

  record(auditId: string): string | undefined {
    this.#assertOpen();
    return this.#records.get(auditId);
  }

  session(sessionId: string): SessionLog | undefined {
    this.#assertOpen();
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return undefined;
    if (session.records.size === 0 && session.artifacts.size === 0) return undefined;
    const artifacts = inOrder(session.artifacts).map(copyOf);
    return { sessionId, records: inOrder(session.records).map(({ jws }) => jws), artifacts };
  }

  sessionRecords(sessionId: string, from: number, count: number): readonly string[] {
    this.#assertOpen();
    const records = this.#sessions.get(sessionId)?.records;
    const found: string[] = [];
    for (let seq = from; found.length < count; seq += 1) {
      const record = records?.get(seq);
      if (record === undefined) break;
      found.push(record.jws);
    }
    return found;
  }

  openSessions(): Iterable<OpenSession> {
    this.#assertOpen();
    return [...this.#open].flatMap((sessionId) => {
      const { records, artifacts, state } = this.#session(sessionId);
      const last = inOrder(records).at(-1);
      if (last?.sessionSeq === undefined) return [];
      const next = Math.max(-1, ...artifacts.keys()) + 1;
      const place = { sessionId, sessionSeq: last.sessionSeq, auditId: last.auditId, artifacts: next };
      return state === undefined ? place : { ...place, state: state.slice() };
    });
  }

  landmarks(sessionId: string): SessionLog["artifacts"] {
    this.#assertOpen();
    const session = this.#sessions.get(sessionId);
    if (session === undefined || !this.#open.has(sessionId)) return [];
    const named = new Set(session.landmarks.values());
    return inOrder(session.artifacts)
      .filter(({ index }) => named.has(index))
      .map(copyOf);
  }

  agents(): Iterable<AgentEntry> {
    this.#assertOpen();
    return [...this.#agents.values()].map((agent) => ({
      ...agent,
      genesis: agent.genesis.slice(),
      identityDocument: agent.identityDocument.slice(),
      ...changeOf(this.#lifecycle.get(agent.agentId)?.at(-1)),
    }));
  }

  revocations(): Iterable<Revocation> {
    this.#assertOpen();
    return [...this.#revocations.values()];
  }

  lifecycle(agentId: string, count: number, before = Number.MAX_SAFE_INTEGER): readonly string[] {
    this.#assertOpen();
    const entries = this.#lifecycle.get(agentId) ?? [];
    return entries
      .filter(({ chainSeq }) => chainSeq < before)
      .toReversed()
      .slice(0, count)
      .map(({ chainSeq }) => this.#jwsAt(chainSeq));
  }

  events(after: number, count: number): readonly LifeEvent[] {
    this.#assertOpen();
    const first = this.#events.findIndex((seq) => seq > after);
    if (first < 0) return [];
    return this.#events.slice(first, first + count).map((chainSeq, i) => ({
      chainSeq,
      previousSeq: this.#events[first + i - 1],
      jws: this.#jwsAt(chainSeq),
    }));
  }

  lastEvent(): number {
    this.#assertOpen();
    return this.#events.at(-1) ?? -1;
  }

  sessionsOf(agentId: string, before: number, count: number) {
    this.#assertOpen();
    const begun = (this.#participants.get(agentId) ?? []).filter(({ chainSeq }) => chainSeq < before);
    const newest = new Map(begun.map((one) => [one.sessionId, one]));
    return [...newest.values()].sort((a, b) => b.chainSeq - a.chainSeq).slice(0, count);
  }

  chain(from: number, count: number): readonly string[] {
    this.#assertOpen();
    return this.#chain.slice(from, from + count).map(({ jws }) => jws);
  }

  async erase(
    target: ErasureTarget,
    tombstone: (record: ErasedRecord) => string,
    begun?: number,
    begins?: () => Promise<void>,
  ): Promise<ErasureOutcome> {
    this.#assertOpen();
    await begins?.();
    const number = begun ?? this.#newestErasure + 1;
    this.#newestErasure = Math.max(number, this.#newestErasure);
    this.#erasures.set(number, { number, target });
    const tally = new Tally();
    const gone = new Set<string>();
    if (target.kind === "session") gone.add(target.sessionId);
    if (target.kind === "agent") {
      for (const { sessionId } of this.#participants.get(target.agentId) ?? []) gone.add(sessionId);
    }
    for (const [chainSeq, place] of this.#chain.entries()) {
      const decision = decide(place.jws, target, (sessionId, before) => this.#endedBefore(sessionId, before));
      if (decision.kind === "stop") break;
      if (decision.kind === "erased" && decision.erasure === number) tally.add(chainSeq, place.auditId);
      if (decision.kind !== "erase") continue;
      const { payload } = decision;
      tally.add(chainSeq, place.auditId);
      place.jws = tombstone({ auditId: place.auditId, chainSeq, payload, erasure: number });
      this.#putTombstone(chainSeq, place, payload);
      if (target.kind === "age" && payload.session_id !== undefined) gone.add(payload.session_id);
    }
    let artifacts = 0;
    for (const sessionId of gone) {
      const session = this.#sessions.get(sessionId);
      artifacts += session?.artifacts.size ?? 0;
      session?.artifacts.clear();
    }
    if (target.kind === "agent") this.#forget(target.agentId);
    return { number, records: tally.records, artifacts, digest: tally.digest() };
  }

  pendingErasures(): readonly Erasure[] {
    return [...this.#erasures.values()];
  }

  forgotten(): Iterable<string> {
    return [...this.#forgotten];
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #putTombstone(
    chainSeq: number,
    { auditId, jws }: { readonly auditId: string; readonly jws: string },
    { session_id: sessionId, session_seq: sessionSeq, counterparty_agent_id: agentId }: AttributionPayload,
  ): void {
    this.#records.set(auditId, jws);
    const event = this.#events.indexOf(chainSeq);
    if (event >= 0) this.#events.splice(event, 1);
    const known = agentId === undefined ? undefined : this.#participants.get(agentId);
    if (agentId !== undefined && known !== undefined) {
      this.#participants.set(
        agentId,
        known.filter((one) => one.chainSeq !== chainSeq),
      );
    }
    const records = sessionId === undefined ? undefined : this.#sessions.get(sessionId)?.records;
    const record = sessionSeq === undefined ? undefined : records?.get(sessionSeq);
    if (record?.chainSeq === chainSeq) records?.set(sessionSeq as number, { ...record, jws });
  }

  #forget(agentId: string): void {
    this.#agents.delete(agentId);
    this.#lifecycle.delete(agentId);
    for (const [key, revocation] of [...this.#revocations]) {
      if (revocation.agentId !== agentId) continue;
      this.#revocations.delete(key);
      this.#revocations.set(revocationKey(withoutName(revocation)), withoutName(revocation));
    }
    this.#participants.delete(agentId);
    this.#forgotten.add(forgottenMark(agentId));
  }

  #endedBefore(sessionId: string, before: number): boolean {
    if (this.#open.has(sessionId)) return false;
    const newest = inOrder(this.#sessions.get(sessionId)?.records ?? new Map<number, RecordEntry>()).at(-1);
    const read = newest === undefined ? undefined : readRecord(newest.jws);
    return read?.ok !== true || timeOf(read.value) < before;
  }

  #jwsAt(chainSeq: number): string {
    return this.#chain[chainSeq]?.jws ?? "";
  }

  #addRecord(entry: RecordEntry): void {
    this.#records.set(entry.auditId, entry.jws);
    this.#chain.push({ auditId: entry.auditId, jws: entry.jws });
    const { participant, sessionId: of, chainSeq } = entry;
    if (participant !== undefined && of !== undefined) {
      const known = this.#participants.get(participant) ?? [];
      this.#participants.set(participant, [...known, { sessionId: of, chainSeq }]);
    }
    if (entry.isLifeEvent) this.#events.push(entry.chainSeq);
    this.#head = { chainSeq: entry.chainSeq, auditId: entry.auditId };
    if (entry.sessionId === undefined || entry.sessionSeq === undefined) return;
    this.#session(entry.sessionId).records.set(entry.sessionSeq, entry);
    if (entry.closesSession) this.#closeSession(entry.sessionId);
    else if (entry.sessionSeq === 0) this.#open.add(entry.sessionId);
  }

  #addArtifact({ landmark, ...entry }: ArtifactEntry): void {
    const { artifacts, landmarks } = this.#session(entry.sessionId);
    artifacts.set(entry.index, copyOf(entry));
    if (landmark !== undefined) landmarks.set(landmark, entry.index);
  }

  #closeSession(sessionId: string): void {
    this.#open.delete(sessionId);
    const session = this.#session(sessionId);
    session.landmarks.clear();
    session.state = undefined;
  }

  #session(sessionId: string): Session {
    let session = this.#sessions.get(sessionId);
    if (session === undefined) {
      session = { records: new Map(), artifacts: new Map(), landmarks: new Map(), state: undefined };
      this.#sessions.set(sessionId, session);
    }
    return session;
  }

  #assertOpen(): void {
    if (this.#closed) throw new ParleyError({ code: "closed", message: "The record log is closed." });
  }
}

function changeOf(newest: LifecycleEntry | undefined): Pick<AgentEntry, "changed"> {
  if (newest === undefined) return {};
  const { status, at, atLeast } = newest;
  return { changed: { status, at, atLeast } };
}

function copyOf(entry: ArtifactEntry): ArtifactEntry {
  return { ...entry, bytes: entry.bytes.slice() };
}

function inOrder<T>(places: ReadonlyMap<number, T>): T[] {
  return [...places.entries()].sort(([a], [b]) => a - b).map(([, value]) => value);
}
