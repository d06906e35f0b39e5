import type { Headers } from "../../codecs/headers.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { Authority } from "../authority.ts";
import { parseScopes } from "../scope.ts";
import type { RegisteredAgent, Registry } from "./registry.ts";

/** Headers of older drafts that say again what the start line says: two readings of one message, so they are refused. */
const REFUSED_HEADERS = ["AGTP-Version", "AGTP-Method", "AGTP-Status"];

/** What an Owner-ID may be (`spec/agtp.md` 1.5). */
const OWNER_ID = /^[A-Za-z0-9_:.-]{1,256}$/;

/**
 * Judges the headers that any request may carry, before it is known whose it is. `Principal-ID` and `Server-Agent-ID`, retired
 * too, are passed over like any header without a meaning here. Faults: `header-retired`, `delegation-not-supported`,
 * `field-invalid`, `scope-malformed`.
 */
export function checkHeaders(headers: Headers): Result<void> {
  const retired = REFUSED_HEADERS.find((name) => headers.has(name));
  if (retired !== undefined) {
    return refuse("header-retired", "The start line alone says this.", `header ${retired}`);
  }
  if (headers.has("Delegation-Chain")) {
    return refuse("delegation-not-supported", "Delegation is not supported.", "header Delegation-Chain");
  }
  const owner = headers.get("Owner-ID");
  if (owner !== undefined && !OWNER_ID.test(owner)) {
    return refuse("field-invalid", "This is not an Owner-ID.", "header Owner-ID");
  }
  const claim = headers.get("Authority-Scope");
  const scope = claim === undefined ? ok(undefined) : parseScopes(claim, "header Authority-Scope");
  return scope.ok ? ok(undefined) : scope;
}

/** Holds an Owner-ID in the headers of a proved agent against its Genesis. Fault: `agent-mismatch`. */
export function checkOwner({ genesis }: RegisteredAgent, headers: Headers): Result<void> {
  const owner = headers.get("Owner-ID");
  if (owner === undefined || owner === genesis.ownerId) return ok(undefined);
  return refuse("agent-mismatch", "The agent belongs to another owner.", "header Owner-ID");
}

/** Holds a zone in the headers of a proved agent against its certificate, where that names one. Fault: `zone-violation`. */
export function checkZone({ certificate }: Authority, headers: Headers): Result<void> {
  const zone = headers.get("AGTP-Zone-ID");
  const governed = certificate?.governanceZone;
  if (zone === undefined || governed === undefined || zone === governed) return ok(undefined);
  return refuse("zone-violation", "The certificate is for another zone.", "header AGTP-Zone-ID", {
    governance_zone: governed,
  });
}

/** Holds a scope in the headers of a proved agent against what it was given. Fault: `scope-claim-invalid`. */
export function checkClaim(
  registry: Registry,
  agent: RegisteredAgent,
  authority: Authority,
  headers: Headers,
): Result<void> {
  const claim = headers.get("Authority-Scope");
  if (claim === undefined) return ok(undefined);
  const scope = parseScopes(claim, "header Authority-Scope");
  if (!scope.ok) return scope;
  const effective = registry.scopeOf(agent, scope.value, authority);
  return effective.ok ? ok(undefined) : effective;
}
