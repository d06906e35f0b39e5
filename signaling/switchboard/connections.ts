import { encodeBase64url } from "../../codecs/base64url.ts";
import { ok, type Result } from "../../codecs/result.ts";
import type { ConnectionId } from "../admission.ts";
import { type AgentCertificate, type Authority, DOCUMENTS_ALONE } from "../authority.ts";
import { type Rate, type RateMemory, tooMany } from "../shared-state.ts";
import { Allowance } from "./allowance.ts";
import type { SwitchboardLimits } from "./config.ts";
import type { RegisteredAgent } from "./registry.ts";

/** Bytes of the nonce every connection is given for its proofs. */
const NONCE_BYTES = 16;

/**
 * How long a connection may be up without anybody proving an identity on it, milliseconds; then it is closed. Less for one that comes
 * when so many of the places are taken.
 */
export const BIND_WITHIN = 15_000;
export const BIND_WITHIN_UNDER_PRESSURE = 3_000;
const PRESSURE = 0.8;

/** The part of what all unbound connections may ask together that those of one network may: nobody alone keeps the others out. */
const NETWORK_SHARE = 1 / 4;

/** Flow identifiers go up by two from 2 and are never used again on the connection; beyond: 503 `capacity`. */
const MAX_FLOW = 2 ** 30;

/** One live connection as call control sees it. */
export interface ConnectionState {
  readonly id: ConnectionId;
  readonly carrier: string;
  /** What its client may have dialled: the only audiences a proof on it may name. */
  readonly origins: readonly string[];
  /** SHA-256 (32 bytes) of its TLS exporter, and the raw Ed25519 key of the certificate its client showed, where there is one. */
  readonly channelBinding: Uint8Array | undefined;
  readonly peerKey: Uint8Array | undefined;
  /** Certificates (DER) its client showed in the handshake and holds the key of the first of, not judged. */
  readonly peerCertificates: readonly Uint8Array[];
  /** Where it comes from, if that is known and does not stand for many. */
  readonly network: string | undefined;
  /** Base64url; proofs made on this connection name it, or the channel binding. */
  readonly nonce: string;
  /** Set by the first valid proof, then never changed. */
  agentId: string | undefined;
  /** Set with it where a gateway acts for that agent: it proves, and signs, all that comes here. */
  gateway: RegisteredAgent | undefined;
  /** What its certificates were found to be worth, once that was asked. */
  certified: Result<AgentCertificate | undefined> | undefined;
  /** What the agent showed here beside its documents. */
  authority: Authority;
  allowance: Allowance;
  /** Requests refused for rate since the last one that was not. */
  refusals: number;
  /** The next flow identifier the server hands out. */
  nextFlow: number;
  /** The agent that proved itself here has as many connections as it may: this one is to be closed. */
  overfull: boolean;
  /** True once a `close` went out: whatever still arrives is passed over. */
  closing: boolean;
}

/** The live connections, at most `limits.connections`. */
export class Connections {
  readonly #limits: SwitchboardLimits;
  readonly #random: (n: number) => Uint8Array;
  readonly #byId = new Map<ConnectionId, ConnectionState>();
  /** Bound connections of each agent that has any: those over TLS, and the others. */
  readonly #perAgent = { tls: new Map<string, number>(), other: new Map<string, number>() };
  readonly #rates: RateMemory;
  readonly #networkRate: Rate;
  #anonymous: Allowance | undefined;
  #refusals: Allowance | undefined;
  #tokens: Allowance | undefined;

  constructor(limits: SwitchboardLimits, random: (n: number) => Uint8Array, rates: RateMemory) {
    this.#limits = limits;
    this.#random = random;
    this.#rates = rates;
    const { perSecond, burst } = limits.anonymousTotalRate;
    this.#networkRate = { perSecond: perSecond * NETWORK_SHARE, burst: burst * NETWORK_SHARE };
  }

  get size(): number {
    return this.#byId.size;
  }

  /** How long a connection that was opened now may be up without anybody proving an identity on it, milliseconds. */
  get bindWithin(): number {
    return this.size < PRESSURE * this.#limits.connections ? BIND_WITHIN : BIND_WITHIN_UNDER_PRESSURE;
  }

  /** How much is kept, by table: what a leak test compares. @internal */
  sizes() {
    return { up: this.size, agents: this.#perAgent.tls.size + this.#perAgent.other.size };
  }

  /** Takes a new connection, or `undefined` at the cap. */
  open(
    opened: Pick<
      ConnectionState,
      "id" | "carrier" | "origins" | "channelBinding" | "peerKey" | "peerCertificates" | "network"
    >,
    now: number,
  ): ConnectionState | undefined {
    if (this.#byId.size >= this.#limits.connections) return undefined;
    const state: ConnectionState = {
      ...opened,
      nonce: encodeBase64url(this.#random(NONCE_BYTES)),
      agentId: undefined,
      gateway: undefined,
      certified: undefined,
      authority: DOCUMENTS_ALONE,
      allowance: new Allowance(this.#limits.anonymousRate, now),
      refusals: 0,
      nextFlow: 2,
      overfull: false,
      closing: false,
    };
    this.#byId.set(opened.id, state);
    return state;
  }

  get(id: ConnectionId): ConnectionState | undefined {
    return this.#byId.get(id);
  }

  all(): Iterable<ConnectionState> {
    return this.#byId.values();
  }

  /** Connections that speak for an agent. */
  countOf(agentId: string): number {
    const { tls, other } = this.#perAgent;
    return (tls.get(agentId) ?? 0) + (other.get(agentId) ?? 0);
  }

  close(id: ConnectionId): void {
    const state = this.#byId.get(id);
    if (!this.#byId.delete(id) || state?.agentId === undefined) return;
    const { agentId } = state;
    const { counts } = this.#allotment(state);
    const left = (counts.get(agentId) ?? 0) - 1;
    if (left > 0) counts.set(agentId, left);
    else counts.delete(agentId);
  }

  /**
   * Binds the connection for good: from now on it speaks for this agent. False, and nothing happens, when the agent has as
   * many as it may.
   */
  bind(state: ConnectionState, agentId: string, now: number): boolean {
    if (state.agentId !== undefined) return state.agentId === agentId;
    const { counts, most } = this.#allotment(state);
    const others = counts.get(agentId) ?? 0;
    if (others >= most) return false;
    counts.set(agentId, others + 1);
    state.agentId = agentId;
    state.allowance = new Allowance(this.#limits.boundRate, now);
    return true;
  }

  /** Takes one request from what the network of an unbound connection may ask, at all servers that share that. Faults as `RateMemory.take`. */
  takeOfNetwork({ network }: Pick<ConnectionState, "network">, now: number): Result<void> {
    if (network === undefined) return ok(undefined);
    return this.#rates.take([{ name: `anonymous ${network}`, rate: this.#networkRate }], now);
  }

  /** Takes one request from what all unbound connections share; a client that reconnects does not get more. */
  takeAnonymous(now: number): boolean {
    this.#anonymous ??= new Allowance(this.#limits.anonymousTotalRate, now);
    return this.#anonymous.take(now);
  }

  /** Takes one answer "too many requests" to a proof that failed, or a request that was no good, on an unbound connection: as many again, all together. */
  takeRefusal(now: number): boolean {
    this.#refusals ??= new Allowance(this.#limits.anonymousTotalRate, now);
    return this.#refusals.take(now);
  }

  /**
   * Takes one token to be judged on an unbound connection, as many again as those may ask, of its network and all together. Faults as
   * `RateMemory.take`.
   */
  takeToken({ network }: Pick<ConnectionState, "network">, now: number): Result<void> {
    const ofNetwork =
      network === undefined
        ? ok(undefined)
        : this.#rates.take([{ name: `tokens ${network}`, rate: this.#networkRate }], now);
    if (!ofNetwork.ok) return ofNetwork;
    this.#tokens ??= new Allowance(this.#limits.anonymousTotalRate, now);
    return this.#tokens.take(now) ? ok(undefined) : tooMany(this.#tokens.nextAt(now) - now);
  }

  /** What a connection counts against once it is bound. */
  #allotment(state: ConnectionState): { readonly counts: Map<string, number>; readonly most: number } {
    const { tlsConnectionsPerAgent, connectionsPerAgent } = this.#limits;
    return isSeparate(state)
      ? { counts: this.#perAgent.tls, most: tlsConnectionsPerAgent }
      : { counts: this.#perAgent.other, most: connectionsPerAgent };
  }
}

/** Agent-ID of who proves and signs what comes on a connection, once that is known. */
export function signerOf({ agentId, gateway }: ConnectionState): string | undefined {
  return gateway?.agentId ?? agentId;
}

/** True for a connection that carries requests one by one, or the media of one session, and not both (`docs/wire-tls.md`). */
export function isSeparate({ carrier }: Pick<ConnectionState, "carrier">): boolean {
  return carrier === "tls";
}

/** The next unused flow identifier of the connection; `undefined` when it has had them all. */
export function takeFlow(state: Pick<ConnectionState, "nextFlow">): number | undefined {
  if (state.nextFlow >= MAX_FLOW) return undefined;
  const flow = state.nextFlow;
  state.nextFlow += 2;
  return flow;
}
