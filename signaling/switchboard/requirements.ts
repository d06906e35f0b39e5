import type { JsonObject } from "../../codecs/canonical-json.ts";
import type { Route } from "../paths.ts";
import type { SwitchboardConfig } from "./config.ts";
import { ENDPOINTS } from "./endpoints.ts";
import type { Requirement } from "./identification.ts";

/** What an exchange takes to be answered. */
export function requirementOf(
  route: Route,
  parameters: JsonObject,
  config: Pick<SwitchboardConfig, "agentDisclosure" | "recordReading">,
): Requirement {
  switch (route) {
    case "ESTABLISH /sessions":
      // Without an offer there is nothing to establish: only what would be said to one.
      return parameters.offer === undefined ? "bound" : "proof";
    case "CONFIRM /sessions/{session_id}":
    case "OPEN /sessions/{session_id}/media":
    case "RESUME /sessions/{session_id}":
    case "SUBSCRIBE /agents/{agent_id}/inbox":
    case "REDACT /records":
      return "proof";
    case "DISCOVER /agents":
    case "DISCOVER /agents/{agent_id}":
      return config.agentDisclosure === "public" ? "anonymous" : "bound";
    case "NOTIFY /":
      // Who revokes a certificate need not be an agent: its own tells who it is.
      return isRevocation(route, parameters) ? "anonymous" : "bound";
    case "INSPECT /":
      return config.recordReading === "public" ? "anonymous" : "bound";
    // The issuer's certificate stands in for a proof.
    case "ACTIVATE /agents/{agent_id}":
    case "DEACTIVATE /agents/{agent_id}":
    case "REINSTATE /agents/{agent_id}":
    case "REVOKE /agents/{agent_id}":
    case "DEPRECATE /agents/{agent_id}":
    case "DISCOVER /":
    case "DISCOVER /methods":
    case "DISCOVER /genesis":
    case "DESCRIBE /":
    case "QUERY /clock":
      return "anonymous";
    default:
      return "bound";
  }
}

/** Whether a request revokes a certificate: a notification to everybody who runs a part of the network. */
export function isRevocation(route: Route, { recipient }: JsonObject): boolean {
  return route === "NOTIFY /" && recipient === BROADCAST;
}

/** Who a revocation is addressed to (`spec/agtp.md` 4.5). */
export const BROADCAST = "infrastructure:broadcast";

/**
 * Exchanges with a rule of their own for being asked twice: by offer, answer, `attach_seq` or nonce. What most of them answer is about the
 * connection they came on, and would be untrue on another.
 */
const OWN_REPETITION: ReadonlySet<Route> = new Set<Route>([
  "ESTABLISH /sessions",
  "CONFIRM /sessions/{session_id}",
  "OPEN /sessions/{session_id}/media",
  "RESUME /sessions/{session_id}",
  "SUBSCRIBE /agents/{agent_id}/inbox",
]);

/** Whether an exchange changes something, and its answer is remembered by `Idempotency-Key` for being asked twice. */
export function isRepeatable(route: Route): boolean {
  return !OWN_REPETITION.has(route) && ENDPOINTS[route].impact !== "informational";
}

/** What may be replayed without harm, and so may come in early data. */
export const EARLY_METHODS: ReadonlySet<string> = new Set(["QUERY", "DISCOVER"]);
