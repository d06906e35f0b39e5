import type { LogLevel } from "../../signaling/switchboard/io.ts";

/** Where a server tells what happens: structured, by stable event names, never payloads, keys or proofs. */
export interface EventLog {
  log(
    level: LogLevel,
    event: string,
    fields: Readonly<Record<string, string | number | boolean | undefined>>,
  ): void;
}

/** For embedded servers and tests that do not want to hear anything. */
export const SILENT_LOG: EventLog = { log: () => {} };
