import { canonicalBytes, type JsonObject } from "../../codecs/canonical-json.ts";
import { SessionLink } from "../record-chain.ts";
import type { LogEntry, OpenSession } from "../record-log.ts";
import type { Desk } from "./desk.ts";

/** Why sessions end that were up when an earlier process of this server stopped without ending them. */
const RESTARTED = "server-restarted";

/** Writes the final record of sessions that were up when an earlier process stopped; its counters are lost. */
export function closeInterrupted(desk: Desk, sessions: readonly OpenSession[], now: number): void {
  for (const { sessionId, sessionSeq, auditId, artifacts } of sessions) {
    const counters: JsonObject[] = [];
    const entry: LogEntry = {
      kind: "artifact",
      sessionId,
      index: artifacts,
      artifact: "counters",
      leg: undefined,
      bytes: canonicalBytes(counters),
    };
    desk.replies.close(
      "session-terminated",
      { reason: RESTARTED, by: "server", counters, artifacts: artifacts + 1 },
      new SessionLink(sessionId, { sessionSeq, auditId }),
      [entry],
      now,
    );
    desk.outputs.log("warn", "session-closed", { sessionId, reason: RESTARTED });
  }
}
