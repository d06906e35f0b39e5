import { availableParallelism } from "node:os";
import { ParleyError } from "../../codecs/parley-error.ts";
import { listenAddresses } from "../../transports/webrtc/listen-addresses.ts";
import { findWorker, isWorker } from "../../transports/webrtc/worker-binary.ts";
import { MediaWorkers } from "../../transports/webrtc/workers.ts";
import type { ServerConfig } from "../config.ts";
import type { EventLog } from "./event-log.ts";

/** The WebRTC carrier of a server: its media workers, or why there are none, in two sentences for the operator. */
export type WebRtcCarrier =
  | { readonly workers: MediaWorkers; readonly off?: never }
  | { readonly workers?: never; readonly off: string };

/**
 * Looks for the media worker, as the configuration asks. With `auto` none is started before the first peer comes; with `on` one is up, or
 * this throws `webrtc-unavailable` or `port-taken`.
 */
export async function openWebRtc(config: ServerConfig, events: EventLog): Promise<WebRtcCarrier> {
  if (config.webrtc === "off")
    return { off: "The WebRTC carrier is switched off. The setting webrtc turns it on." };
  const binary = findWorker();
  if (!isWorker(binary)) {
    const off = `${binary.reason} ${binary.remedy}`;
    if (config.webrtc === "on") throw new ParleyError({ code: "webrtc-unavailable", message: off });
    events.log("info", "webrtc-off", { reason: binary.reason, remedy: binary.remedy });
    return { off };
  }
  const workers = new MediaWorkers({
    binary,
    addresses: await listenAddresses(config.host, config.webrtcAddress),
    port: webrtcPortOf(config),
    count: config.webrtcWorkers ?? availableParallelism(),
    chance: Math.random,
    told: ({ type, ...fields }) =>
      events.log(type === "started" ? "info" : "error", `media-worker-${type}`, fields),
  });
  if (config.webrtc === "on") await workers.take();
  return { workers };
}

/** The first media worker's port: the one that is set, or one near that of AGTP. */
export function webrtcPortOf({ webrtcPort, port }: ServerConfig): number {
  if (webrtcPort !== undefined) return webrtcPort;
  return port === 0 || port > HIGHEST_NEAR ? 0 : port + PORTS_BEYOND;
}

const PORTS_BEYOND = 10;
const HIGHEST_NEAR = 65_000;
