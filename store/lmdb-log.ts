import type { Database } from "lmdb";
import { ParleyError } from "../codecs/parley-error.ts";
import type { Revocation } from "../signaling/certificate/revocations.ts";
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
import { checkAppend, placeKey, placeOf, type SessionPlace } from "./append-rules.ts";
import { checkRoom, copyLive, discardLeft, takeCopy } from "./compaction.ts";
import { broken, prepareFolder, unwritable } from "./data-folder.ts";
import { revocationKey } from "./erasure-rules.ts";
import { LmdbErasing } from "./lmdb-erasing.ts";
import { HOLDS_ERASED, type LogTables, openTables } from "./lmdb-tables.ts";
import {
  decodeAgent,
  decodeArtifact,
  decodeChange,
  decodeRecord,
  decodeRevocation,
  encodeAgent,
  encodeArtifact,
  encodeChange,
  encodeRecord,
  encodeRevocation,
} from "./log-values.ts";

/**
 * Opens, or makes, the durable record log in `folder` (`data.mdb` and `lock.mdb` of an LMDB environment).
 *
 * Appends that arrive while a commit is under way go into the next one together. A commit is written, fdatasync'ed and
 * only then made current, all before `append` resolves: lmdb's `overlappingSync`, whose promises stand for visible
 * and not yet for flushed data, is off. Reads are synchronous and show what is committed.
 *
 * One process at a time may append; the log itself does not stop a second one. Throws `ParleyError`:
 * `data-folder-unwritable` where the folder cannot be made or written, `data-folder-broken` where it holds something else
 * (a `data.mdb` cut short is not seen here: reading it can end the process). `append` rejects with `field-invalid` for
 * an entry out of order, `capacity` above {@link MAX_WAITING_BYTES}, `data-folder-unwritable` once a commit has failed
 * (and from then on, so that the chain has no gap), `closed` after `close()`, which waits for what was accepted.
 */
export async function openLmdbLog(folder: string): Promise<RecordLog> {
  prepareFolder(folder);
  try {
    const tables = openTables(folder);
    const log = new LmdbLog(folder, tables);
    await log.finishCompaction();
    return log;
  } catch (cause) {
    if (cause instanceof ParleyError) throw cause;
    if (DENIED.test(cause instanceof Error ? cause.message : "")) throw unwritable(folder, cause);
    throw broken(`The record log in ${folder} cannot be opened.`, cause);
  }
}

/** Entries accepted and not yet durable, in bytes; an append that would exceed it is refused with `capacity`, whole. */
export const MAX_WAITING_BYTES = 64 * 1024 * 1024;

/** One `append` on its way to disk: its bytes are copied when it is accepted. */
interface Waiting {
  readonly writes: readonly (() => void)[];
  readonly places: readonly string[];
  readonly bytes: number;
  /** It ends an erasure: resolves when the file is rid of what was erased. */
  readonly compacts: boolean;
  readonly resolve: () => void;
  readonly reject: (error: ParleyError) => void;
}

class LmdbLog implements RecordLog {
  readonly #folder: string;
  /** Opened anew when the file is replaced. */
  #tables: LogTables;
  readonly #erasing: LmdbErasing;
  #nextChainSeq: number;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  readonly #waitingPlaces = new Set<string>();
  #writing: Promise<void> | undefined;
  /** Settles when no old file is left. */
  #discarding: Promise<void> = Promise.resolve();
  #failure: ParleyError | undefined;
  #closing: Promise<void> | undefined;

  constructor(folder: string, tables: LogTables) {
    this.#folder = folder;
    this.#tables = tables;
    this.#erasing = new LmdbErasing(
      () => this.#tables,
      (writes) => this.#enqueue({ writes, places: [], bytes: 0, compacts: false }),
    );
    this.#nextChainSeq = (this.#lastChainSeq() ?? -1) + 1;
  }

  append(entries: readonly LogEntry[]): Promise<void> {
    try {
      this.#assertWritable();
      const next = checkAppend(entries, {
        nextChainSeq: this.#nextChainSeq,
        has: (place) => this.#has(place),
      });
      const bytes = entries.reduce((sum, entry) => sum + sizeOf(entry), 0);
      if (this.#waitingBytes + bytes > MAX_WAITING_BYTES) {
        throw new ParleyError({
          code: "capacity",
          message: "The disk does not keep up with the record log.",
        });
      }
      const writes = entries.flatMap((entry) => this.#writesOf(entry));
      const places = entries.map(placeOf).flatMap((place) => (place === undefined ? [] : placeKey(place)));
      this.#nextChainSeq = next;
      this.#waitingBytes += bytes;
      for (const place of places) this.#waitingPlaces.add(place);
      const compacts = entries.some(({ kind }) => kind === "erased");
      return this.#enqueue({ writes, places, bytes, compacts });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  head(): { readonly chainSeq: number; readonly auditId: string } | undefined {
    this.#assertOpen();
    const chainSeq = this.#lastChainSeq();
    const stored = chainSeq === undefined ? undefined : this.#tables.records.get(chainSeq);
    if (chainSeq === undefined || stored === undefined) return undefined;
    return { chainSeq, auditId: decodeRecord(stored).auditId };
  }

  record(auditId: string): string | undefined {
    this.#assertOpen();
    const chainSeq = this.#tables.audits.get(auditId);
    return chainSeq === undefined ? undefined : this.#jws(chainSeq);
  }

  session(sessionId: string): SessionLog | undefined {
    this.#assertOpen();
    const records = [...this.#tables.sessions.getRange(placesOf(sessionId))].map(({ value }) =>
      this.#kept(value),
    );
    const artifacts = [...this.#tables.artifacts.getRange(placesOf(sessionId))].map(({ key, value }) =>
      decodeArtifact(sessionId, key[1], value),
    );
    if (records.length === 0 && artifacts.length === 0) return undefined;
    return { sessionId, records, artifacts };
  }

  sessionRecords(sessionId: string, from: number, count: number): readonly string[] {
    this.#assertOpen();
    const page = { ...placesOf(sessionId), start: [sessionId, from] as [string, number], limit: count };
    return [...this.#tables.sessions.getRange(page)].map(({ value }) => this.#kept(value));
  }

  openSessions(): Iterable<OpenSession> {
    this.#assertOpen();
    return [...this.#tables.open.getKeys()].map((sessionId) => {
      const newest = { ...lastPlaceOf(sessionId), reverse: true, limit: 1 };
      const [record] = [...this.#tables.sessions.getRange(newest)];
      const stored = record === undefined ? undefined : this.#tables.records.get(record.value);
      if (record === undefined || stored === undefined) throw broken(`The record log lacks records.`);
      const [artifact] = [...this.#tables.artifacts.getKeys(newest)];
      const artifacts = artifact === undefined ? 0 : artifact[1] + 1;
      const place = {
        sessionId,
        sessionSeq: record.key[1],
        auditId: decodeRecord(stored).auditId,
        artifacts,
      };
      const state = this.#tables.states.get(sessionId);
      return state === undefined ? place : { ...place, state: new Uint8Array(state) };
    });
  }

  landmarks(sessionId: string): SessionLog["artifacts"] {
    this.#assertOpen();
    if (!this.#tables.open.doesExist(sessionId)) return [];
    const indexes = [...this.#tables.landmarks.getRange(namesOf(sessionId))].map(({ value }) => value);
    return indexes
      .sort((a, b) => a - b)
      .map((index) => {
        const stored = this.#tables.artifacts.get([sessionId, index]);
        if (stored === undefined) throw broken(`The record log lacks artifact ${index} of ${sessionId}.`);
        return decodeArtifact(sessionId, index, stored);
      });
  }

  agents(): Iterable<AgentEntry> {
    this.#assertOpen();
    return this.#tables.agents.getRange().map(({ key, value }) => {
      const [newest] = [...this.#tables.lifecycle.getRange({ ...lastPlaceOf(key), reverse: true, limit: 1 })];
      const agent = decodeAgent(key, value);
      return newest === undefined ? agent : { ...agent, changed: decodeChange(newest.value) };
    });
  }

  revocations(): Iterable<Revocation> {
    this.#assertOpen();
    return [...this.#tables.revocations.getRange()].map(({ value }) => decodeRevocation(value));
  }

  lifecycle(agentId: string, count: number, before = Number.MAX_SAFE_INTEGER): readonly string[] {
    this.#assertOpen();
    const start: [string, number] = [agentId, before - 1];
    const newest = { ...lastPlaceOf(agentId), start, reverse: true, limit: count };
    return [...this.#tables.lifecycle.getKeys(newest)].map(([, chainSeq]) => this.#kept(chainSeq));
  }

  events(after: number, count: number): readonly LifeEvent[] {
    this.#assertOpen();
    const [before] = [...this.#tables.events.getKeys({ start: after, reverse: true, limit: 1 })];
    let previousSeq = before;
    return [...this.#tables.events.getKeys({ start: after + 1, limit: count })].map((chainSeq) => {
      const event = { chainSeq, previousSeq, jws: this.#kept(chainSeq) };
      previousSeq = chainSeq;
      return event;
    });
  }

  lastEvent(): number {
    this.#assertOpen();
    const [last] = [...this.#tables.events.getKeys({ reverse: true, limit: 1 })];
    return last ?? -1;
  }

  sessionsOf(agentId: string, before: number, count: number) {
    this.#assertOpen();
    const places = { start: [agentId, before - 1], end: [agentId, -1], reverse: true } as const;
    const found: { readonly sessionId: string; readonly chainSeq: number }[] = [];
    const known = new Set<string>();
    // An end may have several records of its beginning, where its answer was asked for again.
    for (const { key, value: sessionId } of this.#tables.participants.getRange({
      ...places,
      start: [...places.start],
      end: [...places.end],
    })) {
      if (known.has(sessionId)) continue;
      known.add(sessionId);
      found.push({ sessionId, chainSeq: key[1] });
      if (found.length === count) break;
    }
    return found;
  }

  chain(from: number, count: number): readonly string[] {
    this.#assertOpen();
    return [...this.#tables.records.getRange({ start: from, limit: count })].map(
      ({ value }) => decodeRecord(value).jws,
    );
  }

  async erase(
    target: ErasureTarget,
    tombstone: (record: ErasedRecord) => string,
    number?: number,
    begins?: () => Promise<void>,
  ): Promise<ErasureOutcome> {
    await this.#discarding.catch(() => undefined);
    this.#assertWritable();
    checkRoom(this.#folder);
    await begins?.();
    // What was accepted before is looked at as well.
    await this.#enqueue({ writes: [], places: [], bytes: 0, compacts: false });
    return await this.#erasing.run(target, tombstone, number);
  }

  pendingErasures(): readonly Erasure[] {
    this.#assertOpen();
    return this.#erasing.pending();
  }

  forgotten(): Iterable<string> {
    this.#assertOpen();
    return [...this.#tables.forgotten.getKeys()];
  }

  /** Rids the file of what was erased, where a process was killed before it could. @internal */
  async finishCompaction(): Promise<void> {
    await discardLeft(this.#folder);
    const { format, erasures } = this.#tables;
    const isUnderWay = [...erasures.getKeys({ limit: 1 })].length > 0;
    if (format.get(HOLDS_ERASED) === 1 && !isUnderWay) await this.#compact();
    await this.#discarding;
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      await this.#writing;
      await this.#discarding.catch(() => undefined);
      await this.#tables.root.close();
    })();
    return this.#closing;
  }

  /** Writes groups until nothing waits: one commit at a time, so a failed one leaves nothing later on disk. */
  async #write(): Promise<void> {
    // The rest of the caller's turn may append more for the first group.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      try {
        await this.#tables.root.batch(() => {
          for (const { writes } of group) for (const write of writes) write();
        });
        if (group.some(({ compacts }) => compacts)) await this.#compact();
      } catch (error) {
        await this.#fail(error, group);
        break;
      }
      for (const waiting of group) {
        for (const place of waiting.places) this.#waitingPlaces.delete(place);
        this.#waitingBytes -= waiting.bytes;
        if (!waiting.compacts) waiting.resolve();
        else this.#discarding.then(waiting.resolve, (error: unknown) => this.#fail(error, [waiting]));
      }
    }
    this.#writing = undefined;
  }

  #enqueue(waiting: Omit<Waiting, "resolve" | "reject">): Promise<void> {
    if (this.#closing !== undefined || this.#failure !== undefined)
      return Promise.reject(this.#failure ?? closed());
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ ...waiting, resolve, reject });
    this.#writing ??= this.#write();
    return promise;
  }

  /**
   * Until the new file has its place nothing is written; reads go on, but in the moment between the two. The old one goes beside what is
   * written then.
   */
  async #compact(): Promise<void> {
    const { root, format } = this.#tables;
    if (format.get(HOLDS_ERASED) !== 1) return;
    await this.#discarding;
    await copyLive(this.#folder, root);
    await root.close();
    takeCopy(this.#folder);
    this.#tables = openTables(this.#folder);
    await this.#tables.format.remove(HOLDS_ERASED);
    this.#discarding = discardLeft(this.#folder);
  }

  async #fail(error: unknown, group: readonly Waiting[]): Promise<void> {
    const cause = await commitError(error);
    this.#failure = new ParleyError(
      {
        code: "data-folder-unwritable",
        message: "The record log could not be written; it takes nothing more.",
      },
      { cause },
    );
    for (const { reject } of [...group, ...this.#waiting]) reject(this.#failure);
    this.#waiting = [];
  }

  #writesOf(entry: LogEntry): (() => void)[] {
    // The promise of each put is that of the whole batch, which #write awaits.
    if (entry.kind === "agent") {
      const value = encodeAgent(entry);
      return [() => void this.#tables.agents.put(entry.agentId, value)];
    }
    if (entry.kind === "agent-evicted") return [() => void this.#tables.agents.remove(entry.agentId)];
    if (entry.kind === "lifecycle") {
      const { agentId, chainSeq } = entry;
      return [() => void this.#tables.lifecycle.put([agentId, chainSeq], encodeChange(entry))];
    }
    if (entry.kind === "revocation") {
      return [() => void this.#tables.revocations.put(revocationKey(entry), encodeRevocation(entry))];
    }
    if (entry.kind === "session-state") {
      const value = entry.bytes.slice();
      return [() => void this.#tables.states.put(entry.sessionId, value)];
    }
    if (entry.kind === "artifact") {
      const { sessionId, index, landmark } = entry;
      const value = encodeArtifact(entry);
      const writes = [() => void this.#tables.artifacts.put([sessionId, index], value)];
      if (landmark !== undefined)
        writes.push(() => void this.#tables.landmarks.put([sessionId, landmark], index));
      return writes;
    }
    if (entry.kind === "erased") return [() => this.#erasing.end(entry.erasure)];
    const { chainSeq, auditId, sessionId, sessionSeq, participant } = entry;
    const writes = [
      () => void this.#tables.records.put(chainSeq, encodeRecord(entry)),
      () => void this.#tables.audits.put(auditId, chainSeq),
    ];
    if (entry.isLifeEvent) writes.push(() => void this.#tables.events.put(chainSeq, 1));
    if (sessionId !== undefined && sessionSeq !== undefined) {
      writes.push(() => void this.#tables.sessions.put([sessionId, sessionSeq], chainSeq));
      if (participant !== undefined)
        writes.push(() => void this.#tables.participants.put([participant, chainSeq], sessionId));
      if (entry.closesSession) writes.push(() => void this.#closeSession(sessionId));
      else if (sessionSeq === 0) writes.push(() => void this.#tables.open.put(sessionId, 1));
    }
    return writes;
  }

  /** Part of a commit. Landmarks written in the very same one stay: a few bytes that nothing reads. */
  #closeSession(sessionId: string): void {
    void this.#tables.open.remove(sessionId);
    void this.#tables.states.remove(sessionId);
    for (const key of this.#tables.landmarks.getKeys(namesOf(sessionId)))
      void this.#tables.landmarks.remove(key);
  }

  #has(place: SessionPlace): boolean {
    const places: Database<unknown, [string, number]> =
      place.kind === "record" ? this.#tables.sessions : this.#tables.artifacts;
    return this.#waitingPlaces.has(placeKey(place)) || places.doesExist([place.sessionId, place.index]);
  }

  #lastChainSeq(): number | undefined {
    const [last] = [...this.#tables.records.getKeys({ reverse: true, limit: 1 })];
    return last;
  }

  #jws(chainSeq: number): string | undefined {
    const stored = this.#tables.records.get(chainSeq);
    return stored === undefined ? undefined : decodeRecord(stored).jws;
  }

  #kept(chainSeq: number): string {
    const jws = this.#jws(chainSeq);
    if (jws === undefined) throw broken(`The record log lacks record ${chainSeq}.`);
    return jws;
  }

  #assertWritable(): void {
    if (this.#closing !== undefined) throw closed();
    if (this.#failure !== undefined) throw this.#failure;
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw closed();
  }
}

/** A session's landmarks. */
function namesOf(sessionId: string) {
  return { start: [sessionId, ""] as [string, string], end: [sessionId, LAST_NAME] as [string, string] };
}

function placesOf(sessionId: string) {
  return { start: [sessionId, 0], end: [sessionId, Number.MAX_SAFE_INTEGER], inclusiveEnd: true };
}

/** The same from its end. */
function lastPlaceOf(sessionId: string) {
  return { start: [sessionId, Number.MAX_SAFE_INTEGER], end: [sessionId, 0], inclusiveEnd: true };
}

function sizeOf(entry: LogEntry): number {
  if (entry.kind === "record") return ENTRY_OVERHEAD + entry.jws.length;
  if (entry.kind === "artifact" || entry.kind === "session-state") return ENTRY_OVERHEAD + entry.bytes.length;
  if (entry.kind !== "agent") return ENTRY_OVERHEAD;
  return ENTRY_OVERHEAD + entry.genesis.length + entry.identityDocument.length;
}

/** lmdb hangs the reason on a second promise, whose rejection must not go unhandled. */
async function commitError(error: unknown): Promise<unknown> {
  try {
    await (error as { commitError?: Promise<unknown> }).commitError;
    return error;
  } catch (reason) {
    return reason;
  }
}

function closed(): ParleyError {
  return new ParleyError({ code: "closed", message: "The record log is closed." });
}

/** Keys and bookkeeping of one entry, bytes, roughly. */
const ENTRY_OVERHEAD = 512;
/** Above every landmark's name. */
const LAST_NAME = "\uffff";
const DENIED = /permission denied|read-only file system|no space left/i;
