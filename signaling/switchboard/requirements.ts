import type { JsonObject } from "../../codecs/canonical-json.ts";
import type { Route } from "../paths.ts";
import type { SwitchboardConfig } from "./config.ts";
import { ENDPOINTS } from "./endpoints.ts";
import type { Requirement } from "./identification.ts";

/** What an exchange takes to be answered. */
export function requirementOf(
  route: Route,
  parameters: JsonObject,
  config: Pick<SwitchboardConfig, "agentDisclosure">,
): Requirement {
  switch (route) {
    case "ESTABLISH /sessions":
      // Without an offer there is nothing to establish: only what would be said to one.
      return parameters.offer === undefined ? "bound" : "proof";
    case "CONFIRM /sessions/{session_id}":
    case "OPEN /sessions/{session_id}/media":
    case "RESUME /sessions/{session_id}":
    case "SUBSCRIBE /agents/{agent_id}/inbox":
      return "proof";
    case "DISCOVER /agents":
    case "DISCOVER /agents/{agent_id}":
      return config.agentDisclosure === "public" ? "anonymous" : "bound";
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

/** Whether an exchange changes something, and has no memory of its own for being asked twice. */
export function isRepeatable(route: Route): boolean {
  if (route === "ESTABLISH /sessions" || route === "SUBSCRIBE /agents/{agent_id}/inbox") return false;
  return ENDPOINTS[route].impact !== "informational";
}

/** What may be replayed without harm, and so may come in early data. */
export const EARLY_METHODS: ReadonlySet<string> = new Set(["QUERY", "DISCOVER"]);
