import { destination, pino, stdTimeFunctions } from "pino";
import type { ServerLogLevel } from "../config.ts";
import type { EventLog } from "./event-log.ts";

/**
 * Events as JSON lines, `{"level","time","event",…}`, on a file descriptor (default 2, standard error). Written before the
 * call returns, so that the last words of a process are not lost.
 */
export function createPinoLog(options: { readonly level: ServerLogLevel; readonly fd?: number }): EventLog {
  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
    },
    destination({ fd: options.fd ?? 2, sync: true }),
  );
  return {
    log: (level, event, fields) => logger[level]({ event, ...fields }),
  };
}
