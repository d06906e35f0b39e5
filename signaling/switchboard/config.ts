import type { Signer, Verifier } from "../../codecs/signer.ts";
import type { CertificateRules } from "../certificate/agent-certificate.ts";
import type { Revocation } from "../certificate/revocations.ts";
import type { AgentEntry } from "../record-log.ts";
import type { Rate, SharedState } from "../shared-state.ts";
import type { ScopeViolationCode } from "../status.ts";
import type { TrustFloor } from "../trust.ts";

/** What bounds one switchboard. Each cap names what happens beyond it. */
export interface SwitchboardLimits {
  /** Live sessions and ringing offers together; beyond: 503 `capacity`. */
  readonly sessions: number;
  /** Media streams of all of them together, each direction counted, those that are only offered too; beyond: 503 `capacity`. */
  readonly streams: number;
  /** What the relay may have to carry for them, kilobits a second: the most that each stream may send, as agreed or offered; beyond: 503 `capacity`. */
  readonly kilobits: number;
  /** Live sessions one agent takes part in; beyond: 503 `capacity` to its own ESTABLISH, `callee-busy` to its callers. */
  readonly sessionsPerAgent: number;
  /** Offers one caller may have ringing; beyond: 429 `rate-limited`. */
  readonly ringingPerCaller: number;
  /** Registered agents; beyond: one of those that registered themselves goes for a newcomer, or 503 `capacity` to it. */
  readonly agents: number;
  /**
   * Those that registered themselves and of whom neither issuer nor operator has said anything; beyond: the one that was not here for longest is
   * forgotten, 503 `capacity` to the newcomer where none has neither connection nor inbox nor call.
   */
  readonly selfRegisteredAgents: number;
  /** Connections; beyond: closed with `overloaded`. */
  readonly connections: number;
  /** Connections one agent may have proved itself on, without those over TLS; a further one is refused with 503 `capacity` and closed with `overloaded`. */
  readonly connectionsPerAgent: number;
  /** The same for connections over TLS, where a connection is for one request at a time, or for the media of one session. */
  readonly tlsConnectionsPerAgent: number;
  /** Longest and default lifetime of a session, seconds. A longer wish is cut to it. */
  readonly sessionTtl: number;
  /** How long a persistent session waits for an end that lost its connection, seconds; then it ends with `detach-expired`. */
  readonly detachedSeconds: number;
  /** Requests a second, and their burst, on a connection nobody has proved an identity on; beyond: 429 `rate-limited`. */
  readonly anonymousRate: Rate;
  /**
   * The same for requests without a valid proof on all such connections together; beyond: the connection is closed with `overloaded`,
   * unanswered, or 429 `rate-limited` where a proof was refused, as often again.
   */
  readonly anonymousTotalRate: Rate;
  /** The same for a bound connection. */
  readonly boundRate: Rate;
  /** The same for all connections of an agent together. */
  readonly agentRate: Rate;
  /** The same for all agents of an owner together, as far as one issuer vouches for them. */
  readonly ownerRate: Rate;
  /** The same for all agents that come from an address together, where that is known: over TCP. An IPv4 address, or an IPv6 network of 64 bits. */
  readonly addressRate: Rate;
  /** Agents that register themselves, from one address where that is known, and their burst; beyond: 429 `rate-limited`. */
  readonly registrationRate: Rate;
  /** The same from everywhere together. */
  readonly registrationTotalRate: Rate;
}

export const DEFAULT_LIMITS: SwitchboardLimits = {
  sessions: 10_000,
  streams: 40_000,
  kilobits: 40_000_000,
  sessionsPerAgent: 64,
  ringingPerCaller: 16,
  agents: 100_000,
  selfRegisteredAgents: 20_000,
  connections: 20_000,
  connectionsPerAgent: 8,
  tlsConnectionsPerAgent: 80,
  sessionTtl: 3_600,
  detachedSeconds: 600,
  anonymousRate: { perSecond: 10, burst: 30 },
  anonymousTotalRate: { perSecond: 1_000, burst: 10_000 },
  boundRate: { perSecond: 100, burst: 200 },
  agentRate: { perSecond: 200, burst: 400 },
  ownerRate: { perSecond: 2_000, burst: 20_000 },
  addressRate: { perSecond: 2_000, burst: 20_000 },
  registrationRate: { perSecond: 1, burst: 200 },
  registrationTotalRate: { perSecond: 10, burst: 10_000 },
};

/** What the operator decides. */
export interface SwitchboardConfig {
  /** `Server-ID` of every answer. */
  readonly serverId: string;
  /** Carriers that clients can come over, as `DESCRIBE /` lists them: `webtransport`, `websocket`. */
  readonly bindings: readonly string[];
  /** SHA-256 of the certificates in use now, 32 bytes each. Asked at every proof. */
  readonly certificateHashes: () => readonly Uint8Array[];
  /**
   * `open`: an agent registers itself with its Genesis on its first proof. `token`: one for which an issuer that the server trusts has
   * made an access token does. `closed`: only known agents are served.
   */
  readonly registration: "open" | "token" | "closed";
  /** `required`: calls take an access token that somebody else than the agent has made. Default `optional`. */
  readonly tokens?: "optional" | "required";
  /** Agent-IDs of the gateways that act here for agents whose tokens they bring. Default: none do. */
  readonly gateways?: readonly string[];
  /** Scope tokens this server lets anybody use; effective scopes are cut to it. */
  readonly policyScope: readonly string[];
  /** Who may be granted `communication:*`, and so call and be called. */
  readonly trustFloor: TrustFloor;
  /** Issuers whose word on tier 1 counts: raw Ed25519 keys, base64url; `any`: that of every agent known here. This server's own counts always. */
  readonly genesisIssuers: "any" | readonly string[];
  /** Who may list agents and read their documents. */
  readonly agentDisclosure: "public" | "authenticated";
  /**
   * Who reads records with INSPECT: `agent_only` those whose they are, and the operator; `public` everybody, without an identity too;
   * `operator_only` the operator. Default `agent_only`.
   */
  readonly recordReading?: "public" | "agent_only" | "operator_only";
  /** Whether an orderly stop ends persistent sessions as well. Default: the server's next start goes on with them. */
  readonly stopEndsCalls?: boolean;
  /** Status of scope refusals: `auto` by dialect, or one for all. Default `auto`. */
  readonly scopeViolationCode?: ScopeViolationCode;
  /** Records and artifacts are erased when they are so many days old. Default: they are kept. */
  readonly retentionDays?: number | undefined;
  readonly limits: SwitchboardLimits;
}

/** The server as an agent. */
export interface ServerIdentity {
  readonly agentId: string;
  /** Byte-exact, as issued. */
  readonly genesis: Uint8Array;
  /** Byte-exact, as issued. */
  readonly identityDocument: Uint8Array;
  /** The key the Genesis names. */
  readonly signer: Signer;
}

export interface SwitchboardOptions {
  readonly config: SwitchboardConfig;
  readonly identity: ServerIdentity;
  readonly verifier: Verifier;
  /** `n` bytes from a cryptographic generator. */
  readonly random: (n: number) => Uint8Array;
  /** Agents the log knew at the start. */
  readonly agents: Iterable<AgentEntry>;
  /** What Agent Certificates are judged by. Without it none is looked at. */
  readonly certificates?: CertificateRules | undefined;
  /** Certificates that were revoked before the start. */
  readonly revocations?: Iterable<Revocation>;
  /** `forgottenMark`s of agents that were erased. Default: none were. */
  readonly forgotten?: Iterable<string>;
  /** The last record in the log, `undefined` for an empty one. */
  readonly head: { readonly chainSeq: number; readonly auditId: string } | undefined;
  /** Used proofs and spent rates, shared with other servers where they are. Default: kept in this process alone. */
  readonly shared?: SharedState;
}
