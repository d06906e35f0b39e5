import { isJsonObject, type JsonObject } from "../../codecs/canonical-json.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { readGenesis } from "../../signaling/genesis.ts";
import { openLmdbLog } from "../../store/lmdb-log.ts";
import type { Channel } from "./channel.ts";
import { identityIn } from "./operator.ts";

/** Records in one page. */
const PAGE = 64;

/** Where records are read from: a server, or a data folder. What stands in the place of an erased one is given for it. */
export interface RecordSource {
  /** The key that signed them, raw. */
  readonly serverKey: Uint8Array;
  readonly serverId: string;
  /** Throws `record-not-found`, `record-forbidden`. */
  record(auditId: string): Promise<string>;
  /** A session's records in order. Throws `session-not-found`, `record-forbidden`. */
  session(sessionId: string): Promise<readonly string[]>;
  /** Session-IDs of an agent, the newest first. */
  sessions(agentId: string): Promise<readonly string[]>;
  /** Records of changes of an agent's status, the newest first. */
  lifecycle(agentId: string): Promise<readonly string[]>;
  /** The server's chain, page by page. */
  chain(): AsyncIterable<readonly string[]>;
  close(): Promise<void>;
}

/** Reads by INSPECT, as whoever the channel speaks for. */
export function sourceOn(channel: Channel, close: () => Promise<void>): RecordSource {
  const inspect = async (parameters: JsonObject) =>
    (await channel.ask({ method: "INSPECT", path: "/", parameters })).result;
  async function* pages(target: JsonObject): AsyncGenerator<readonly string[]> {
    for (let after = -1; ; after += PAGE) {
      const where = after < 0 ? {} : { after };
      const result = await inspect({ ...target, limit: PAGE, ...where });
      yield textsIn(result.records);
      if (result.more !== true) return;
    }
  }
  return {
    serverKey: channel.serverKey,
    serverId: channel.serverId,
    async record(auditId) {
      try {
        return String((await inspect({ target: "audit", audit_id: auditId })).record);
      } catch (error) {
        const tombstone = error instanceof ParleyError ? error.details.tombstone : undefined;
        if (typeof tombstone === "string") return tombstone;
        throw error;
      }
    },
    async session(sessionId) {
      const records: string[] = [];
      for await (const page of pages({ target: "session", session_id: sessionId })) records.push(...page);
      return records;
    },
    async sessions(agentId) {
      const found: string[] = [];
      for (let before: number | undefined; ; ) {
        const where = before === undefined ? {} : { before };
        const result = await inspect({ target: "sessions", agent_id: agentId, limit: PAGE, ...where });
        const sessions = Array.isArray(result.sessions) ? result.sessions.filter(isJsonObject) : [];
        found.push(...sessions.map((session) => String(session.session_id)));
        if (typeof result.next !== "number" || result.next === before) return found;
        before = result.next;
      }
    },
    async lifecycle(agentId) {
      const found: string[] = [];
      for (let before: number | undefined; ; ) {
        const where = before === undefined ? {} : { before };
        const result = await inspect({ target: "lifecycle", agent_id: agentId, limit: PAGE, ...where });
        const entries = Array.isArray(result.entries) ? result.entries.filter(isJsonObject) : [];
        found.push(...entries.map(({ entry }) => String(entry)));
        if (typeof result.next !== "number" || result.next === before) return found;
        before = result.next;
      }
    },
    chain: () => pages({ target: "chain" }),
    close,
  };
}

/** Reads the log of a folder that no server has; nothing is recorded about it. `unlock` is called in the end. */
export async function sourceIn(dataFolder: string, unlock: () => void): Promise<RecordSource> {
  const identity = await identityIn(dataFolder);
  const genesis = readGenesis(identity.genesis, verifier);
  if (!genesis.ok) throw new ParleyError(genesis.fault);
  const log = await openLmdbLog(dataFolder);
  return {
    serverKey: genesis.value.agentKey,
    serverId: identity.agentId,
    async record(auditId) {
      const jws = log.record(auditId);
      if (jws !== undefined) return jws;
      throw new ParleyError({ code: "record-not-found", message: "There is no such record." });
    },
    async session(sessionId) {
      const session = log.session(sessionId);
      if (session !== undefined) return session.records;
      throw new ParleyError({ code: "session-not-found", message: "There is no such session." });
    },
    sessions: async (agentId) =>
      log.sessionsOf(agentId, EVERYTHING, EVERYTHING).map(({ sessionId }) => sessionId),
    lifecycle: async (agentId) => log.lifecycle(agentId, EVERYTHING),
    async *chain() {
      for (let from = 0; ; from += PAGE) {
        const page = log.chain(from, PAGE);
        yield page;
        if (page.length < PAGE) return;
      }
    },
    async close() {
      await log.close();
      unlock();
    },
  };
}

function textsIn(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

const EVERYTHING = 2 ** 31 - 1;
