import { type Database, open, type RootDatabase } from "lmdb";
import { readRecord } from "../signaling/attribution.ts";
import { ROOT_RECORDS } from "../signaling/record-log.ts";
import { broken, closeToOthers } from "./data-folder.ts";
import { decodeRecord } from "./log-values.ts";

/** The tables of a record log on disk. */
export interface LogTables {
  readonly root: RootDatabase;
  /** What the file is: see the constants below. */
  readonly format: Database<number, string>;
  /** chainSeq to Audit-ID and JWS, of the record or of the tombstone in its place. */
  readonly records: Database<string, number>;
  /** Audit-ID to chainSeq. */
  readonly audits: Database<number, string>;
  /** [sessionId, sessionSeq] to chainSeq. */
  readonly sessions: Database<number, [string, number]>;
  /** [sessionId, index] to the artifact. */
  readonly artifacts: Database<Uint8Array, [string, number]>;
  /** Session-IDs that have record 0 and no closing one, to 1. */
  readonly open: Database<number, string>;
  /** [sessionId, name] to the index of the newest artifact of that name; of open sessions. */
  readonly landmarks: Database<number, [string, string]>;
  /** Session-ID to what the server keeps for itself; of open sessions. */
  readonly states: Database<Uint8Array, string>;
  /** Agent-ID to Genesis and identity document. */
  readonly agents: Database<Uint8Array, string>;
  /** [Agent-ID, chainSeq of the record that says so] to the status. */
  readonly lifecycle: Database<string, [string, number]>;
  /** What was revoked of certificates, by authority or agent and serial number. */
  readonly revocations: Database<string, string>;
  /** chainSeq of records that tell of a life, to 1. */
  readonly events: Database<number, number>;
  /** [Agent-ID, chainSeq of the record that made it an end of the session] to the Session-ID. */
  readonly participants: Database<string, [string, number]>;
  /** Number of an erasure that is under way, to its target and the artifacts it has taken. */
  readonly erasures: Database<string, number>;
  /** `forgottenMark` of an erased agent, to 1. */
  readonly forgotten: Database<number, string>;
}

/** Keys of `format`: the number of the newest erasure; 1 while pages of the file may hold what was erased. */
export const NEWEST_ERASURE = "erasure";
export const HOLDS_ERASED = "holds-erased";

/** Opens, or makes, the tables. Throws `data-folder-broken` for those of another version. */
export function openTables(folder: string): LogTables {
  const root = open({
    path: folder,
    noSubdir: false,
    overlappingSync: false,
    maxDbs: MAX_TABLES,
    mapSize: MAP_BYTES,
  });
  try {
    closeToOthers(folder);
    const format = root.openDB<number, string>({ name: "format" });
    if (!format.doesExist("version")) format.putSync("version", FORMAT_VERSION);
    if (format.get("version") !== FORMAT_VERSION) {
      throw broken("The record log was written by another version of Parley.");
    }
    const tables: LogTables = {
      root,
      format,
      records: root.openDB({ name: "records", encoding: "string" }),
      audits: root.openDB({ name: "audits" }),
      sessions: root.openDB({ name: "sessions" }),
      artifacts: root.openDB({ name: "artifacts", encoding: "binary" }),
      open: root.openDB({ name: "open" }),
      agents: root.openDB({ name: "agents", encoding: "binary" }),
      // Logs of before had none of these: opening makes them.
      lifecycle: root.openDB({ name: "lifecycle", encoding: "string" }),
      landmarks: root.openDB({ name: "landmarks" }),
      states: root.openDB({ name: "states", encoding: "binary" }),
      events: root.openDB({ name: "events" }),
      revocations: root.openDB({ name: "revocations", encoding: "string" }),
      participants: root.openDB({ name: "participants", encoding: "string" }),
      erasures: root.openDB({ name: "erasures", encoding: "string" }),
      forgotten: root.openDB({ name: "forgotten" }),
    };
    if (!format.doesExist(HAS_PARTICIPANTS)) listParticipants(tables);
    return tables;
  } catch (error) {
    void root.close();
    throw error;
  }
}

/** Finds the ends of the sessions of a log from before they were listed, once. */
function listParticipants({ root, format, records, sessions, participants }: LogTables): void {
  root.transactionSync(() => {
    for (const { key, value: chainSeq } of sessions.getRange()) {
      if (key[1] >= ROOT_RECORDS) continue;
      const read = readRecord(decodeRecord(records.get(chainSeq) ?? "").jws);
      if (!read.ok || read.value.event !== "session-established") continue;
      const { counterparty_agent_id: agentId } = read.value;
      if (agentId !== undefined) participants.putSync([agentId, chainSeq], key[0]);
    }
    format.putSync(HAS_PARTICIPANTS, 1);
  });
}

const FORMAT_VERSION = 1;
const HAS_PARTICIPANTS = "participants";
const MAX_TABLES = 20;
/**
 * Address space for the file from the start. Beyond it lmdb maps the file again, twice as much, and keeps the older maps: pages
 * seen through several are counted as resident several times.
 */
const MAP_BYTES = 2 ** 30;
