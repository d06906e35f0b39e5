import { join } from "node:path";
import type { Clock } from "../../codecs/clock.ts";
import { openSharedState, type StoredState } from "../../store/shared-state.ts";
import type { ServerConfig } from "../config.ts";
import type { EventLog } from "./event-log.ts";

/** In the data folder, unless the setting says otherwise. */
const SHARED_FOLDER = "shared";
/** A folder that fails does so at every request: that is logged once in this time, ms. */
const LOG_EVERY_MS = 10_000;

/** Opens the used proofs and spent rates where the configuration has them. Throws as `openSharedState` does. */
export async function openSharedFolder(
  { dataFolder, sharedFolder = join(dataFolder, SHARED_FOLDER) }: ServerConfig,
  clock: Clock,
  events: EventLog,
): Promise<StoredState> {
  let quietUntil = Number.NEGATIVE_INFINITY;
  return await openSharedState(sharedFolder, (error) => {
    if (clock.now() < quietUntil) return;
    quietUntil = clock.now() + LOG_EVERY_MS;
    events.log("error", "shared-state-failed", { folder: sharedFolder, error: String(error) });
  });
}
