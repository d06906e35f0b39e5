import type { GatewayStatement } from "../signaling/gateway.ts";
import type { CheckedPeer } from "../signaling/peer-check.ts";

/** For whom a gateway takes part in a call: its own word, and nobody else's. */
export interface PeerGateway extends GatewayStatement {
  /** The gateway's own. */
  readonly agentId: string;
}

/** The other end of a call, checked: its Genesis hashes to its Agent-ID and its signatures held. */
export interface CallPeer {
  /** Of who signs. Events name the agent for which a gateway signs. */
  readonly agentId: string;
  readonly name: string;
  /** Its issuer is among the trust anchors this agent was given; false also when none were given. */
  readonly anchored: boolean;
  /** It is a gateway, for a peer that speaks WebRTC and signs nothing: for which agent, and by what. Absent: the agent itself. */
  readonly gateway?: PeerGateway;
}

/** What an application is told of a checked end. */
export function callPeer({ agentId, genesis, anchored, gateway }: CheckedPeer): CallPeer {
  const told = { agentId, name: genesis.name, anchored };
  return gateway === undefined ? told : { ...told, gateway: { agentId, ...gateway } };
}
