import { type Database, open, type RootDatabase } from "lmdb";
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
import { checkAppend, placeKey, placeOf, type SessionPlace } from "./append-rules.ts";
import { broken, prepareFolder, unwritable } from "./data-folder.ts";
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
  let root: RootDatabase | undefined;
  try {
    root = open({
      path: folder,
      noSubdir: false,
      overlappingSync: false,
      maxDbs: MAX_TABLES,
      mapSize: MAP_BYTES,
    });
    return new LmdbLog(root);
  } catch (cause) {
    await root?.close();
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
  readonly resolve: () => void;
  readonly reject: (error: ParleyError) => void;
}

class LmdbLog implements RecordLog {
  readonly #root: RootDatabase;
  /** chainSeq to Audit-ID and JWS. */
  readonly #records: Database<string, number>;
  /** Audit-ID to chainSeq. */
  readonly #audits: Database<number, string>;
  /** [sessionId, sessionSeq] to chainSeq. */
  readonly #sessions: Database<number, [string, number]>;
  /** [sessionId, index] to the artifact. */
  readonly #artifacts: Database<Uint8Array, [string, number]>;
  /** Session-IDs that have record 0 and no closing one, to 1. */
  readonly #open: Database<number, string>;
  /** [sessionId, name] to the index of the newest artifact of that name; of open sessions. */
  readonly #landmarks: Database<number, [string, string]>;
  /** Session-ID to what the server keeps for itself; of open sessions. */
  readonly #states: Database<Uint8Array, string>;
  /** Agent-ID to Genesis and identity document. */
  readonly #agents: Database<Uint8Array, string>;
  /** [Agent-ID, chainSeq of the record that says so] to the status. */
  readonly #lifecycle: Database<string, [string, number]>;
  /** What was revoked of certificates, by authority or agent and serial number. */
  readonly #revocations: Database<string, string>;
  /** chainSeq of records that tell of a life, to 1. */
  readonly #events: Database<number, number>;
  #nextChainSeq: number;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  readonly #waitingPlaces = new Set<string>();
  #writing: Promise<void> | undefined;
  #failure: ParleyError | undefined;
  #closing: Promise<void> | undefined;

  constructor(root: RootDatabase) {
    this.#root = root;
    const format = root.openDB<number, string>({ name: "format" });
    if (!format.doesExist("version")) format.putSync("version", FORMAT_VERSION);
    if (format.get("version") !== FORMAT_VERSION) {
      throw broken("The record log was written by another version of Parley.");
    }
    this.#records = root.openDB({ name: "records", encoding: "string" });
    this.#audits = root.openDB({ name: "audits" });
    this.#sessions = root.openDB({ name: "sessions" });
    this.#artifacts = root.openDB({ name: "artifacts", encoding: "binary" });
    this.#open = root.openDB({ name: "open" });
    this.#agents = root.openDB({ name: "agents", encoding: "binary" });
    // Logs of before had none of these: opening makes them.
    this.#lifecycle = root.openDB({ name: "lifecycle", encoding: "string" });
    this.#landmarks = root.openDB({ name: "landmarks" });
    this.#states = root.openDB({ name: "states", encoding: "binary" });
    this.#events = root.openDB({ name: "events" });
    this.#revocations = root.openDB({ name: "revocations", encoding: "string" });
    this.#nextChainSeq = (this.#lastChainSeq() ?? -1) + 1;
  }

  append(entries: readonly LogEntry[]): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closing !== undefined) throw closed();
      if (this.#failure !== undefined) throw this.#failure;
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
      this.#waiting.push({ writes, places, bytes, resolve, reject });
      this.#writing ??= this.#write();
    });
  }

  head(): { readonly chainSeq: number; readonly auditId: string } | undefined {
    this.#assertOpen();
    const chainSeq = this.#lastChainSeq();
    const stored = chainSeq === undefined ? undefined : this.#records.get(chainSeq);
    if (chainSeq === undefined || stored === undefined) return undefined;
    return { chainSeq, auditId: decodeRecord(stored).auditId };
  }

  record(auditId: string): string | undefined {
    this.#assertOpen();
    const chainSeq = this.#audits.get(auditId);
    return chainSeq === undefined ? undefined : this.#jws(chainSeq);
  }

  session(sessionId: string): SessionLog | undefined {
    this.#assertOpen();
    const records = [...this.#sessions.getRange(placesOf(sessionId))].map(({ value }) => this.#kept(value));
    const artifacts = [...this.#artifacts.getRange(placesOf(sessionId))].map(({ key, value }) =>
      decodeArtifact(sessionId, key[1], value),
    );
    if (records.length === 0 && artifacts.length === 0) return undefined;
    return { sessionId, records, artifacts };
  }

  sessionRecords(sessionId: string, from: number, count: number): readonly string[] {
    this.#assertOpen();
    const page = { ...placesOf(sessionId), start: [sessionId, from] as [string, number], limit: count };
    return [...this.#sessions.getRange(page)].map(({ value }) => this.#kept(value));
  }

  openSessions(): Iterable<OpenSession> {
    this.#assertOpen();
    return [...this.#open.getKeys()].map((sessionId) => {
      const newest = { ...lastPlaceOf(sessionId), reverse: true, limit: 1 };
      const [record] = [...this.#sessions.getRange(newest)];
      const stored = record === undefined ? undefined : this.#records.get(record.value);
      if (record === undefined || stored === undefined) throw broken(`The record log lacks records.`);
      const [artifact] = [...this.#artifacts.getKeys(newest)];
      const artifacts = artifact === undefined ? 0 : artifact[1] + 1;
      const place = {
        sessionId,
        sessionSeq: record.key[1],
        auditId: decodeRecord(stored).auditId,
        artifacts,
      };
      const state = this.#states.get(sessionId);
      return state === undefined ? place : { ...place, state: new Uint8Array(state) };
    });
  }

  landmarks(sessionId: string): SessionLog["artifacts"] {
    this.#assertOpen();
    if (!this.#open.doesExist(sessionId)) return [];
    const indexes = [...this.#landmarks.getRange(namesOf(sessionId))].map(({ value }) => value);
    return indexes
      .sort((a, b) => a - b)
      .map((index) => {
        const stored = this.#artifacts.get([sessionId, index]);
        if (stored === undefined) throw broken(`The record log lacks artifact ${index} of ${sessionId}.`);
        return decodeArtifact(sessionId, index, stored);
      });
  }

  agents(): Iterable<AgentEntry> {
    this.#assertOpen();
    return this.#agents.getRange().map(({ key, value }) => {
      const [newest] = [...this.#lifecycle.getRange({ ...lastPlaceOf(key), reverse: true, limit: 1 })];
      const agent = decodeAgent(key, value);
      return newest === undefined ? agent : { ...agent, changed: decodeChange(newest.value) };
    });
  }

  revocations(): Iterable<Revocation> {
    this.#assertOpen();
    return [...this.#revocations.getRange()].map(({ value }) => decodeRevocation(value));
  }

  lifecycle(agentId: string, count: number): readonly string[] {
    this.#assertOpen();
    const newest = { ...lastPlaceOf(agentId), reverse: true, limit: count };
    return [...this.#lifecycle.getKeys(newest)].map(([, chainSeq]) => this.#kept(chainSeq));
  }

  events(after: number, count: number): readonly LifeEvent[] {
    this.#assertOpen();
    const [before] = [...this.#events.getKeys({ start: after, reverse: true, limit: 1 })];
    let previousSeq = before;
    return [...this.#events.getKeys({ start: after + 1, limit: count })].map((chainSeq) => {
      const event = { chainSeq, previousSeq, jws: this.#kept(chainSeq) };
      previousSeq = chainSeq;
      return event;
    });
  }

  lastEvent(): number {
    this.#assertOpen();
    const [last] = [...this.#events.getKeys({ reverse: true, limit: 1 })];
    return last ?? -1;
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      await this.#writing;
      await this.#root.close();
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
        await this.#root.batch(() => {
          for (const { writes } of group) for (const write of writes) write();
        });
      } catch (error) {
        await this.#fail(error, group);
        break;
      }
      for (const { places, bytes, resolve } of group) {
        for (const place of places) this.#waitingPlaces.delete(place);
        this.#waitingBytes -= bytes;
        resolve();
      }
    }
    this.#writing = undefined;
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
      return [() => void this.#agents.put(entry.agentId, value)];
    }
    if (entry.kind === "lifecycle") {
      const { agentId, chainSeq } = entry;
      return [() => void this.#lifecycle.put([agentId, chainSeq], encodeChange(entry))];
    }
    if (entry.kind === "revocation") {
      const { issuerKeyId, agentId, serial } = entry;
      return [
        () => void this.#revocations.put(`${issuerKeyId ?? agentId}/${serial}`, encodeRevocation(entry)),
      ];
    }
    if (entry.kind === "session-state") {
      const value = entry.bytes.slice();
      return [() => void this.#states.put(entry.sessionId, value)];
    }
    if (entry.kind === "artifact") {
      const { sessionId, index, landmark } = entry;
      const value = encodeArtifact(entry);
      const writes = [() => void this.#artifacts.put([sessionId, index], value)];
      if (landmark !== undefined) writes.push(() => void this.#landmarks.put([sessionId, landmark], index));
      return writes;
    }
    const { chainSeq, auditId, sessionId, sessionSeq } = entry;
    const writes = [
      () => void this.#records.put(chainSeq, encodeRecord(entry)),
      () => void this.#audits.put(auditId, chainSeq),
    ];
    if (entry.isLifeEvent) writes.push(() => void this.#events.put(chainSeq, 1));
    if (sessionId !== undefined && sessionSeq !== undefined) {
      writes.push(() => void this.#sessions.put([sessionId, sessionSeq], chainSeq));
      if (entry.closesSession) writes.push(() => void this.#closeSession(sessionId));
      else if (sessionSeq === 0) writes.push(() => void this.#open.put(sessionId, 1));
    }
    return writes;
  }

  /** Part of a commit. Landmarks written in the very same one stay: a few bytes that nothing reads. */
  #closeSession(sessionId: string): void {
    void this.#open.remove(sessionId);
    void this.#states.remove(sessionId);
    for (const key of this.#landmarks.getKeys(namesOf(sessionId))) void this.#landmarks.remove(key);
  }

  #has(place: SessionPlace): boolean {
    const places: Database<unknown, [string, number]> =
      place.kind === "record" ? this.#sessions : this.#artifacts;
    return this.#waitingPlaces.has(placeKey(place)) || places.doesExist([place.sessionId, place.index]);
  }

  #lastChainSeq(): number | undefined {
    const [last] = [...this.#records.getKeys({ reverse: true, limit: 1 })];
    return last;
  }

  #jws(chainSeq: number): string | undefined {
    const stored = this.#records.get(chainSeq);
    return stored === undefined ? undefined : decodeRecord(stored).jws;
  }

  #kept(chainSeq: number): string {
    const jws = this.#jws(chainSeq);
    if (jws === undefined) throw broken(`The record log lacks record ${chainSeq}.`);
    return jws;
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
  if (entry.kind === "lifecycle" || entry.kind === "revocation") return ENTRY_OVERHEAD;
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

const FORMAT_VERSION = 1;
const MAX_TABLES = 16;
/**
 * Address space for the file from the start. Beyond it lmdb maps the file again, twice as much, and keeps the older maps: pages
 * seen through several are counted as resident several times.
 */
const MAP_BYTES = 2 ** 30;
/** Keys and bookkeeping of one entry, bytes, roughly. */
const ENTRY_OVERHEAD = 512;
/** Above every landmark's name. */
const LAST_NAME = "\uffff";
const DENIED = /permission denied|read-only file system|no space left/i;
