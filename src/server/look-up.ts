import { readRecord } from "../../signaling/attribution.ts";
import type { RecordLog } from "../../signaling/record-log.ts";
import { ROOT_RECORDS } from "../../signaling/switchboard/inspection.ts";
import type { LookUpTarget } from "../../signaling/switchboard/io.ts";

/** What the switchboard wants out of the log. A record comes with the first ones of its session: they say who may read it. */
export function lookUp(
  log: Pick<RecordLog, "record" | "sessionRecords" | "lifecycle">,
  what: LookUpTarget,
): readonly string[] {
  if (what.kind === "lifecycle") return log.lifecycle(what.agentId, what.count);
  const jws = log.record(what.auditId);
  if (jws === undefined) return [];
  const record = readRecord(jws);
  const sessionId = record.ok ? record.value.session_id : undefined;
  return sessionId === undefined ? [jws] : [jws, ...log.sessionRecords(sessionId, 0, ROOT_RECORDS)];
}
