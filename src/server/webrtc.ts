import { availableParallelism } from "node:os";
import type { AgentIdentity } from "../../agent/identity.ts";
import type { Clock } from "../../codecs/clock.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import type { Signer, Verifier } from "../../codecs/signer.ts";
import { random, verifier } from "../../platform/node/sodium.ts";
import { listenAddresses } from "../../transports/webrtc/listen-addresses.ts";
import { findWorker, isWorker } from "../../transports/webrtc/worker-binary.ts";
import { MediaWorkers } from "../../transports/webrtc/workers.ts";
import type { ServerConfig } from "../config.ts";
import type { PeerDesk } from "../gateway/desk.ts";
import { Gateway } from "../gateway/gateway.ts";
import { connectGateway, gatewayIdentity } from "../gateway/gateway-agent.ts";
import { KnownSignatures } from "../gateway/known-signatures.ts";
import { offDesk } from "../gateway/off-desk.ts";
import type { EventLog } from "./event-log.ts";
import type { MediaServer } from "./media-server.ts";

/** The WebRTC carrier of a server: its media workers, or why there are none, in two sentences for the operator. */
export type WebRtcCarrier =
  | { readonly workers: MediaWorkers; readonly off?: never }
  | { readonly workers?: never; readonly off: string };

/** What is told of the carrier: the UDP and TCP port of each worker that may run, 0 for a free one; or why there is none, and how to turn it on. */
export type WebRtcFacts =
  | { readonly ports: readonly number[]; readonly off?: never }
  | { readonly ports?: never; readonly off: string };

export function factsOf({ workers, off }: WebRtcCarrier): WebRtcFacts {
  return workers === undefined ? { off } : { ports: workers.ports };
}

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

/** The desk of WebRTC peers as the server has it. */
export interface ServerDesk {
  readonly desk: PeerDesk;
  /** Agent-IDs for the switchboard's set of gateways. */
  readonly gateways: readonly string[];
  /** What the media server is to check signatures with. */
  readonly verifier: Verifier;
  /** Peers by state. */
  counts(): Readonly<Record<string, number>>;
  /** Ends the peers that are left; resolves when they are gone. */
  stop(): Promise<void>;
}

/** Opens the desk; without a carrier one that refuses. The gateway's identity is in the data folder, made there where there is none. */
export async function openDesk(
  carrier: WebRtcCarrier,
  server: {
    readonly dataFolder: string;
    readonly name: string;
    readonly identity: AgentIdentity<Signer>;
    readonly clock: Clock;
    readonly events: EventLog;
    /** The media server, once it stands. */
    readonly media: () => MediaServer;
  },
): Promise<ServerDesk> {
  const { workers } = carrier;
  if (workers === undefined)
    return { desk: offDesk(carrier.off), gateways: [], verifier, counts: () => ({}), stop: async () => {} };
  const { clock, dataFolder, events, media, name } = server;
  const identity = await gatewayIdentity(dataFolder, { name, signer: server.identity.signer });
  const report = (error: unknown) => events.log("error", "gateway-fault", { error: String(error) });
  const signatures = new KnownSignatures(verifier);
  const gateway = new Gateway({
    ...{ workers, clock, random, report },
    gatewayId: identity.agentId,
    judge: (token, origins) => media().judgeToken(token, origins),
    ownerOf: (agentId) => media().ownerOf(agentId),
    connect: (options) =>
      connectGateway({
        ...{ identity, clock, report, signatures, serverId: server.identity.agentId },
        accept: (connection, origins) => media().accept(connection, origins),
        ...options,
      }),
    unready: () => media().unready,
    told: ({ type, ...fields }) => events.log("info", `webrtc-peer-${type}`, fields),
  });
  return {
    ...{ desk: gateway, gateways: [identity.agentId], verifier: signatures },
    counts: () => gateway.counts,
    stop: () => gateway.stop(),
  };
}

/** The first media worker's port: the one that is set, or one near that of AGTP. */
export function webrtcPortOf({ webrtcPort, port }: ServerConfig): number {
  if (webrtcPort !== undefined) return webrtcPort;
  return port === 0 || port > HIGHEST_NEAR ? 0 : port + PORTS_BEYOND;
}

const PORTS_BEYOND = 10;
const HIGHEST_NEAR = 65_000;
