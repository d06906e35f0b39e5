import { ParleyError } from "../codecs/parley-error.ts";
import type { Revocation } from "../signaling/certificate/revocations.ts";
import type {
  AgentEntry,
  LifeEvent,
  LogEntry,
  OpenSession,
  RecordLog,
  SessionLog,
} from "../signaling/record-log.ts";
import { checkAppend } from "./append-rules.ts";

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
  /** Every record, by its place. */
  readonly #chain: string[] = [];
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
        const { issuerKeyId, agentId, serial } = revocation;
        this.#revocations.set(`${issuerKeyId ?? agentId}/${serial}`, revocation);
      } else if (entry.kind === "lifecycle") {
        this.#lifecycle.set(entry.agentId, [...(this.#lifecycle.get(entry.agentId) ?? []), entry]);
      } else {
        this.#agents.set(entry.agentId, {
          agentId: entry.agentId,
          genesis: entry.genesis.slice(),
          identityDocument: entry.identityDocument.slice(),
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
    return [...this.#agents.values()].map(({ agentId, genesis, identityDocument }) => ({
      agentId,
      genesis: genesis.slice(),
      identityDocument: identityDocument.slice(),
      ...changeOf(this.#lifecycle.get(agentId)?.at(-1)),
    }));
  }

  revocations(): Iterable<Revocation> {
    this.#assertOpen();
    return [...this.#revocations.values()];
  }

  lifecycle(agentId: string, count: number): readonly string[] {
    this.#assertOpen();
    const entries = this.#lifecycle.get(agentId) ?? [];
    return entries
      .toReversed()
      .slice(0, count)
      .map(({ chainSeq }) => this.#chain[chainSeq] as string);
  }

  events(after: number, count: number): readonly LifeEvent[] {
    this.#assertOpen();
    const first = this.#events.findIndex((seq) => seq > after);
    if (first < 0) return [];
    return this.#events.slice(first, first + count).map((chainSeq, i) => ({
      chainSeq,
      previousSeq: this.#events[first + i - 1],
      jws: this.#chain[chainSeq] as string,
    }));
  }

  lastEvent(): number {
    this.#assertOpen();
    return this.#events.at(-1) ?? -1;
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #addRecord(entry: RecordEntry): void {
    this.#records.set(entry.auditId, entry.jws);
    this.#chain.push(entry.jws);
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
  return newest === undefined ? {} : { changed: { status: newest.status, at: newest.at } };
}

function copyOf(entry: ArtifactEntry): ArtifactEntry {
  return { ...entry, bytes: entry.bytes.slice() };
}

function inOrder<T>(places: ReadonlyMap<number, T>): T[] {
  return [...places.entries()].sort(([a], [b]) => a - b).map(([, value]) => value);
}
