/** Parley's media server, to be run or embedded. Agents are in `@parley-rt/parley/agent`. */
export { ERRORS, type ErrorCode } from "../codecs/error-codes.ts";
export { ParleyError } from "../codecs/parley-error.ts";
export type { Connection, ConnectionHandlers } from "../sfu/carrier.ts";
export type { EventPayload } from "../signaling/life-events.ts";
export type { SwitchboardLimits } from "../signaling/switchboard/config.ts";
export type { LogLevel } from "../signaling/switchboard/io.ts";
export {
  DEFAULT_SERVER_CONFIG,
  parseServerConfig,
  readConfigFile,
  type ServerConfig,
  type ServerLogLevel,
  type ServerSettings,
} from "./config.ts";
export { type EventSource, readEvents } from "./events/read-events.ts";
export { createIssuerFile, loadIssuerFile } from "./issuer-file.ts";
export type { EventLog } from "./server/event-log.ts";
export { MediaServer, type MediaServerOptions } from "./server/media-server.ts";
export { type RunningServer, type ServeOptions, serve } from "./server/serve.ts";
