import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { Route } from "../paths.ts";
import type { AskedByAnybody } from "./asked.ts";
import type { Desk } from "./desk.ts";

/** True for a request of who proved to have the server's own identity key: it lies in the data folder. */
export function isOperator({ registry }: Pick<Desk, "registry">, { agent }: AskedByAnybody): boolean {
  return agent === registry.operator;
}

/** Refuses what the operator has no part in: it looks, registers and stops, and is nobody's peer. */
export function checkOperated(
  desk: Pick<Desk, "registry">,
  asked: AskedByAnybody,
  route: Route,
): Result<void> {
  if (!isOperator(desk, asked) || OPERATED.has(route)) return ok(undefined);
  return refuse(
    "not-for-operator",
    "The server's own key operates it, and takes part in no calls.",
    "method",
  );
}

const OPERATED: ReadonlySet<Route> = new Set<Route>([
  "DISCOVER /",
  "DISCOVER /methods",
  "DISCOVER /genesis",
  "DISCOVER /agents",
  "DISCOVER /agents/{agent_id}",
  "DESCRIBE /",
  "QUERY /",
  "QUERY /clock",
  "QUERY /sessions/{session_id}/records",
  "QUERY /sessions/{session_id}/evidence",
  "INSPECT /",
  "ACTIVATE /agents/{agent_id}",
  "DEACTIVATE /agents/{agent_id}",
  "REINSTATE /agents/{agent_id}",
  "REVOKE /agents/{agent_id}",
  "DEPRECATE /agents/{agent_id}",
  "REDACT /records",
]);
