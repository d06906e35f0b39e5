/** A server's process dies and another one starts with what it left. */
import { createMemoryLog } from "../../store/memory-log.ts";
import { Stage, type StageOptions } from "./signaling-stage.ts";

/** A switchboard that starts `downtime` ms later with the log of another and nothing else, told of open sessions as a driver tells it. */
export async function restarted(
  { log: entries, now }: Stage,
  options: Omit<StageOptions, "log"> & { readonly downtime?: number } = {},
): Promise<Stage> {
  const log = createMemoryLog();
  await log.append(entries);
  const stage = new Stage({ ...options, log: entries });
  stage.now = now + (options.downtime ?? 0);
  for (const open of log.openSessions()) {
    stage.handle({ kind: "interrupted", session: { ...open, landmarks: log.landmarks(open.sessionId) } });
  }
  return stage;
}
