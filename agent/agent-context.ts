import type { Connection } from "../sfu/carrier.ts";
import type { GatewayStatement } from "../signaling/gateway.ts";
import type { OwnIdentity } from "../signaling/peer-check.ts";
import type { ScopeSet } from "../signaling/scope.ts";
import type { ClockStatement } from "../signaling/stream-fields.ts";
import type { ServerPeer } from "./answer-records.ts";
import type { ControlChannel } from "./control.ts";
import type { AgentIdentity } from "./identity.ts";
import type { MediaPort } from "./media-port.ts";
import type { MediaTime } from "./media-time.ts";
import type { AgentPlatform } from "./platform.ts";

/** What the calls of one connected agent share. */
export interface AgentContext {
  readonly platform: AgentPlatform;
  /** Who signs. */
  readonly identity: AgentIdentity;
  /** The Agent-ID that this end goes by at the server: its own, or of the agent that it acts for. */
  readonly agentId: string;
  /** Of a gateway: for whom it acts, and by what. */
  readonly onBehalfOf: GatewayStatement | undefined;
  /** Which of the agent's inboxes this is. */
  readonly inbox: string;
  /** The identity key, raw. */
  readonly publicKey: Uint8Array;
  /** The widest scope its documents let it claim. */
  readonly declaredScope: ScopeSet;
  readonly control: ControlChannel;
  /** `control` while its connection lives, then that of the agent's present one. Throws `offline`, or `closed` after the agent's end. */
  readonly reachable: () => ControlChannel;
  /** The agent's connection: calls whose media it does not carry open one through its `media`. */
  readonly connection: Connection;
  /** The media side of `connection`. */
  readonly port: MediaPort;
  readonly time: MediaTime;
  readonly server: ServerPeer;
  /** This machine's clock against the server's, as measured when the connection was made. */
  readonly clock: ClockStatement;
  /** Issuer keys (raw, 32 bytes) this agent trusts; none: peers are checked and reported as not anchored. */
  readonly anchors: readonly Uint8Array[] | undefined;
  /** Takes what listeners throw. */
  readonly report: (error: unknown) => void;
}

/** This end as checks of the other one take it. */
export function ownIdentity({ identity, publicKey, onBehalfOf }: AgentContext): OwnIdentity {
  return { agentId: identity.agentId, publicKey, onBehalfOf: onBehalfOf?.subject };
}
