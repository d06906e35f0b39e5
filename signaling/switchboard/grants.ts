import type { JsonObject } from "../../codecs/canonical-json.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import { tokenExpired, tokenInvalid } from "../access-token.ts";
import type { AccessGrant, Authority } from "../authority.ts";
import type { Route } from "../paths.ts";
import type { SwitchboardConfig } from "./config.ts";
import type { ConnectionState } from "./connections.ts";

/** What begins a call, or goes on with one: what an expired token is no good for, and what a server may demand one for. */
const TAKING_GRANTS: ReadonlySet<Route> = new Set<Route>([
  "OPEN /webrtc",
  "ESTABLISH /sessions",
  "CONFIRM /sessions/{session_id}",
  "OPEN /sessions/{session_id}/media",
  "RESUME /sessions/{session_id}",
]);

/** What a WebRTC peer's own token comes with: it grants that peer something, and neither gives nor takes anything of the connection it came on. */
const FOR_PEERS: ReadonlySet<Route> = new Set<Route>([
  "OPEN /webrtc",
  "ADJUST /webrtc/{peer_id}",
  "CLOSE /webrtc/{peer_id}",
]);

/** Why a token could not be judged this time, which is nothing against who brought it. */
const PASSING: ReadonlySet<string> = new Set(["token-expired", "token-issuer-unavailable", "capacity"]);

/**
 * What the token of a request grants; `judged` is what came with it. One that has run out, or cannot be judged now, keeps nobody from
 * hanging up: where no grant is taken it counts as none. Faults: those of judging it, and `token-invalid` for one nobody could read.
 */
export function grantShown(
  route: Route,
  parameters: JsonObject,
  judged: Result<AccessGrant> | undefined,
): Result<AccessGrant | undefined> {
  if (judged === undefined) {
    if (parameters.access_token === undefined) return ok(undefined);
    return tokenInvalid(undefined, "The token cannot be read where it stands.");
  }
  if (judged.ok) return judged;
  // A gateway is nobody without one.
  const isNeeded = TAKING_GRANTS.has(route) || parameters.on_behalf_of !== undefined;
  return PASSING.has(judged.fault.code) && !isNeeded ? ok(undefined) : judged;
}

/** Whether a grant is another's word for this agent, and not its own. */
export function isVouchedFor(agentId: string, grant: AccessGrant | undefined): boolean {
  return grant !== undefined && grant.agentId === agentId && grant.issuer !== agentId;
}

/**
 * From now on the connection has this grant, in place of any before; not one that is for a WebRTC peer. Fault: `token-invalid` for another agent's, and for the agent's own word
 * where somebody else's is demanded: it would stand in for what that one said, and outlast it.
 */
export function keepGrant(
  route: Route,
  connection: ConnectionState,
  agentId: string,
  grant: AccessGrant | undefined,
  { tokens }: Pick<SwitchboardConfig, "tokens">,
): Result<void> {
  if (grant === undefined) return ok(undefined);
  if (grant.agentId !== agentId) return tokenInvalid("sub", "The token is another agent's.");
  if (tokens === "required" && !isVouchedFor(agentId, grant))
    return tokenInvalid("iss", "An agent's own tokens do not count here.");
  if (!FOR_PEERS.has(route)) connection.authority = { ...connection.authority, grant };
  return ok(undefined);
}

/**
 * Refuses what takes a grant with one that has run out, and without one where the server demands it. `shown`: what came with the request. Faults:
 * `token-expired`, `token-required`.
 */
export function checkGrant(
  route: Route,
  { agentId = "", authority }: ConnectionState,
  shown: AccessGrant | undefined,
  { tokens }: Pick<SwitchboardConfig, "tokens">,
  now: number,
): Result<void> {
  if (!TAKING_GRANTS.has(route)) return ok(undefined);
  const grant = FOR_PEERS.has(route) ? shown : authority.grant;
  if (grant !== undefined && now >= grant.expiresAt) return tokenExpired();
  if (tokens === "required" && !isVouchedFor(agentId, grant)) {
    return refuse(
      "token-required",
      "Calls take an access token of an issuer that this server trusts.",
      "header Authorization",
    );
  }
  return ok(undefined);
}

/** What a connection shows now: a grant that has run out is none. */
export function shownBy({ authority }: ConnectionState, now: number): Authority {
  const { grant } = authority;
  return grant === undefined || now < grant.expiresAt ? authority : { ...authority, grant: undefined };
}
