import { readRecord } from "../../signaling/attribution.ts";
import { type RecordLog, ROOT_RECORDS } from "../../signaling/record-log.ts";
import type { LookedUp, LookUpTarget } from "../../signaling/switchboard/io.ts";
import { readTombstone } from "../../signaling/tombstone.ts";

/** What the switchboard wants out of the log. Records of a session come with its first ones: they say who may read them. */
export function lookUp(
  log: Pick<RecordLog, "record" | "sessionRecords" | "lifecycle" | "sessionsOf" | "chain">,
  what: LookUpTarget,
): LookedUp {
  const rootsOf = (sessionId: string) => log.sessionRecords(sessionId, 0, ROOT_RECORDS);
  switch (what.kind) {
    case "record": {
      const jws = log.record(what.auditId);
      if (jws === undefined) return { records: [] };
      const sessionId = sessionOf(jws);
      return { records: [jws], roots: sessionId === undefined ? [] : rootsOf(sessionId) };
    }
    case "lifecycle":
      return { records: log.lifecycle(what.agentId, what.count, what.before) };
    case "sessions":
      return { records: [], sessions: log.sessionsOf(what.agentId, what.before, what.count) };
    case "session":
      return {
        records: log.sessionRecords(what.sessionId, what.from, what.count),
        roots: rootsOf(what.sessionId),
      };
    case "chain":
      return { records: log.chain(what.from, what.count) };
  }
}

function sessionOf(jws: string): string | undefined {
  const record = readRecord(jws);
  if (record.ok) return record.value.session_id;
  const tombstone = readTombstone(jws);
  return tombstone.ok ? tombstone.value.session_id : undefined;
}
