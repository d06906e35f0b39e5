/** A server's process dies and another one starts with what it left. */
import type { RecordLog } from "../../signaling/record-log.ts";
import { createMemoryLog } from "../../store/memory-log.ts";
import { Stage, type StageOptions } from "./signaling-stage.ts";

/** A switchboard that starts `downtime` ms later with the log of another and nothing else, told of open sessions as a driver tells it. */
export async function restarted(
  { log: entries, now }: Pick<Stage, "log" | "now">,
  options: Omit<StageOptions, "log"> & {
    readonly downtime?: number;
    /** The empty log that what is left goes through. Default: one in memory. */
    readonly through?: RecordLog;
  } = {},
): Promise<Stage> {
  const { through: log = createMemoryLog(), ...rest } = options;
  await log.append(entries);
  const stage = new Stage({ ...rest, log: entries });
  stage.now = now + (options.downtime ?? 0);
  for (const open of log.openSessions()) {
    const [first] = log.sessionRecords(open.sessionId, 0, 1);
    const landmarks = log.landmarks(open.sessionId);
    stage.handle({ kind: "interrupted", session: { ...open, landmarks, first } });
  }
  return stage;
}
