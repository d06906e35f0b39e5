/** The gateway's own identity, and how it comes online on behalf of others: in process, as residents do. */
import { join } from "node:path";
import type { Agent } from "../../agent/agent.ts";
import { connectAgent } from "../../agent/connect.ts";
import { type AgentIdentity, createIdentity, nodePlatform } from "../../agent/node.ts";
import type { Clock } from "../../codecs/clock.ts";
import type { Signer } from "../../codecs/signer.ts";
import { keptIdentity, type LoadedIdentity } from "../../platform/node/identity-file.ts";
import type { Connection, ConnectionHandlers } from "../../sfu/carrier.ts";
import type { GatewayStatement } from "../../signaling/gateway.ts";
import { MemoryNetwork } from "../../transports/memory.ts";
import { AGTP_PATH } from "../../transports/url.ts";
import type { KnownSignatures } from "./known-signatures.ts";

/** What the proofs of the gateway name as their server: an origin that cannot be dialled from outside (RFC 6761 6.4). */
const GATEWAY_ORIGIN = "https://gateway.invalid";
/** In the data folder. */
const IDENTITY_FILE = "gateway.json";

/** The gateway's identity from the data folder; made there, vouched for by the server, where there is none. */
export async function gatewayIdentity(
  folder: string,
  server: { readonly name: string; readonly signer: Signer },
): Promise<LoadedIdentity> {
  const make = () => createIdentity({ name: "WebRTC gateway" }, server).file;
  return await keptIdentity(join(folder, IDENTITY_FILE), make);
}

export interface GatewayAgentOptions {
  readonly identity: AgentIdentity;
  /** Agent-ID of the server. */
  readonly serverId: string;
  readonly clock: Clock;
  /** Takes connections as a listener's; `origins`: what their clients may have dialled. */
  readonly accept: (connection: Connection, origins: readonly string[]) => ConnectionHandlers;
  readonly onBehalfOf: GatewayStatement;
  /** Of that agent, the newest there is. */
  readonly token: () => string;
  /** Audiences that the token may name, since they are what its bearer dialled. */
  readonly origins: readonly string[];
  /** Its own. */
  readonly inbox: string;
  /** Whether it is there to be called. */
  readonly takesCalls: boolean;
  /** Shared with the server: what one has checked the other need not. */
  readonly signatures: KnownSignatures;
  readonly report: (error: unknown) => void;
}

/** Comes online for one peer. Throws as `Agent.connect`. */
export async function connectGateway(options: GatewayAgentOptions): Promise<Agent> {
  const { accept, clock, origins, signatures, ...connecting } = options;
  signatures.remember();
  const network = new MemoryNetwork({ clock, liveness: false });
  network.listen(new URL(GATEWAY_ORIGIN).host, (connection) =>
    accept(connection, [GATEWAY_ORIGIN, ...origins]),
  );
  const usual = nodePlatform();
  const platform = {
    ...{ ...usual, clock, carrier: network, verifier: signatures },
    createSigner: (seed: Uint8Array) => signatures.signer(usual.createSigner(seed)),
  };
  return await connectAgent(platform, `${GATEWAY_ORIGIN}${AGTP_PATH}`, connecting);
}
