import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { AccessGrant } from "../authority.ts";
import type { GatewayStatement } from "../gateway.ts";
import type { Route } from "../paths.ts";
import type { ConnectionState } from "./connections.ts";
import type { Desk } from "./desk.ts";
import type { RegisteredAgent } from "./registry.ts";

/** A gateway as it comes to a connection. */
interface GatewayArrival {
  /** Agent-ID of the gateway, which the proof names. */
  readonly agentId: string;
  /** Its documents, where it is not known here yet or has newer ones. */
  readonly genesis: string | undefined;
  readonly document: string | undefined;
}

/** The gateway itself: one of those that the operator names, and not stopped. Faults: `gateway-refused`, `agent-suspended`, `agent-retired`, `agent-unknown`, `genesis-invalid`. */
export function findGateway(
  { config, registry }: Pick<Desk, "config" | "registry">,
  { agentId, genesis, document }: GatewayArrival,
): Result<RegisteredAgent> {
  if (config.gateways?.includes(agentId) !== true)
    return refuse("gateway-refused", "This is no gateway of this server.", "parameters.on_behalf_of");
  const isNew = registry.get(agentId) === undefined;
  const gateway =
    isNew && genesis !== undefined && document !== undefined
      ? registry.enrol(agentId, genesis, document)
      : registry.find(agentId, genesis, document, true);
  if (!gateway.ok) return gateway;
  const alive = registry.alive(gateway.value);
  return alive.ok ? gateway : alive;
}

/**
 * The agent that a gateway acts for: registered here, and by a token for that agent. `grant`: what the request brings, or the connection has.
 * Faults: `agent-unknown`, `gateway-refused`, `token-required`, `token-invalid`.
 */
export function findSubject(
  { config, registry }: Pick<Desk, "config" | "registry">,
  subject: string,
  grant: AccessGrant | undefined,
): Result<RegisteredAgent> {
  if (config.gateways?.includes(subject) === true)
    return refuse("gateway-refused", "No gateway acts for a gateway.", "parameters.on_behalf_of");
  if (grant === undefined) {
    return refuse(
      "token-required",
      "A gateway brings an access token of the agent that it acts for.",
      "header Authorization",
    );
  }
  if (grant.agentId !== subject)
    return refuse("token-invalid", "The token is another agent's.", "token.sub", { claim: "sub" });
  const agent = registry.get(subject);
  if (agent !== undefined) return ok(agent);
  return refuse("agent-unknown", "The agent that the gateway acts for is not registered here.");
}

/**
 * Whether what an end signs of being a gateway fits the connection that it comes on: nothing from an agent, and from a gateway for whom it acts
 * there and by which token. Faults: `gateway-refused`, `fingerprint-mismatch`.
 */
export function checkStated(
  stated: GatewayStatement | undefined,
  { agentId, gateway, authority: { grant } }: ConnectionState,
  at: "offer.gateway" | "answer.gateway",
): Result<void> {
  if (gateway === undefined) {
    if (stated === undefined) return ok(undefined);
    return refuse("gateway-refused", "Who proved itself here is no gateway of this server.", at);
  }
  if (stated === undefined)
    return refuse("gateway-refused", "A gateway says for whom it acts, and by what.", at);
  const { subject, issuer, evidence } = stated;
  if (subject !== agentId)
    return refuse("gateway-refused", "The gateway acts for another agent here.", `${at}.subject`);
  const isToken =
    grant !== undefined &&
    issuer === grant.issuer &&
    evidence.jti === grant.tokenId &&
    evidence.token === grant.digest;
  if (!isToken)
    return refuse("gateway-refused", "The gateway showed another token here.", `${at}.evidence.token`);
  const { confirmation } = grant;
  if (confirmation === undefined || confirmation.fingerprint === evidence.fingerprint) return ok(undefined);
  return refuse(
    "fingerprint-mismatch",
    "The token is for the peer with another certificate.",
    `${at}.evidence.fingerprint`,
  );
}

/**
 * What a gateway may ask in an agent's name: what is about calls, while it is not stopped itself, and what is open to anybody. Faults: `gateway-refused`,
 * `agent-suspended`, `agent-retired`.
 */
export function checkAsking(
  { registry }: Pick<Desk, "registry">,
  route: Route,
  { gateway }: ConnectionState,
  isOpen: boolean,
): Result<void> {
  if (gateway === undefined || isOpen) return ok(undefined);
  const alive = registry.alive(registry.get(gateway.agentId) ?? gateway);
  if (!alive.ok || ABOUT_CALLS.test(route)) return alive;
  return refuse("gateway-refused", "A gateway calls and is called, and nothing else.", "path");
}

/** Its own sessions, offers and inbox, and the list of those sessions. */
const ABOUT_CALLS = /^QUERY \/$| \/(?:sessions|offers\/|agents\/\{agent_id\}\/inbox$)/;
