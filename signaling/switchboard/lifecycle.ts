import { encodeHex } from "../../codecs/hex.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { AgentStatus } from "../identity-document.ts";
import { keyId } from "../keys.ts";
import type { AskedByAnybody } from "./asked.ts";
import type { Desk } from "./desk.ts";
import type { LifecycleParameters } from "./parameters.ts";
import type { RegisteredAgent } from "./registry.ts";

/** The five methods of an agent's life on `/agents/{agent_id}`. */
export type LifecycleMethod = "ACTIVATE" | "DEACTIVATE" | "REINSTATE" | "REVOKE" | "DEPRECATE";

/** What each method makes of an agent, and from where. Retired is for ever. */
const EFFECTS: Readonly<
  Record<LifecycleMethod, { readonly from: readonly AgentStatus[]; readonly to: AgentStatus }>
> = {
  ACTIVATE: { from: ["suspended", "deprecated"], to: "active" },
  DEACTIVATE: { from: ["active", "deprecated"], to: "suspended" },
  REINSTATE: { from: ["suspended", "deprecated"], to: "active" },
  REVOKE: { from: ["active", "suspended", "deprecated"], to: "retired" },
  DEPRECATE: { from: ["active"], to: "deprecated" },
};

/**
 * Changes of an agent's status by who issued its Genesis. Whose key it is, the certificate of the connection tells: these requests
 * need no proof, since the issuer need not be an agent. What follows for calls and inbox is for `Authorities` to see to.
 */
export class Lifecycle {
  readonly #desk: Desk;

  constructor(desk: Desk) {
    this.#desk = desk;
  }

  /**
   * Faults: `agent-not-found`, `genesis-issuer-cert-required`, `issuer-mismatch`, `lifecycle-conflict`, `field-invalid` for a REVOKE
   * that names a session.
   */
  change(
    asked: AskedByAnybody,
    method: LifecycleMethod,
    agentId: string,
    parameters: LifecycleParameters,
    now: number,
  ): Result<void> {
    const agent = this.#desk.registry.get(agentId);
    if (agent === undefined) return refuse("agent-not-found", "No such agent is known here.", "path");
    const issuer = this.#issuer(asked, agent);
    if (!issuer.ok) return issuer;
    if (method === "REVOKE" && (parameters.session_id !== undefined || asked.headers.has("Session-ID"))) {
      return refuse(
        "field-invalid",
        "REVOKE retires an agent; a session is ended by TERMINATE.",
        "session_id",
      );
    }
    const { from, to } = EFFECTS[method];
    const previous = agent.status;
    if (previous === to) {
      this.#desk.replies.answer(
        asked.exchange,
        { result: { agent_id: agentId, status: to, noop: true } },
        now,
      );
      return ok(undefined);
    }
    if (!from.includes(previous)) {
      return refuse("lifecycle-conflict", `${method} is not for an agent that is ${previous}.`, "method", {
        status: previous,
      });
    }
    const changed = this.#desk.registry.changeStatus(agent, to, now);
    const { reason } = parameters;
    const facts = { agent_id: agentId, status: to, previous_status: previous };
    this.#desk.replies.answer(
      asked.exchange,
      {
        result: { ...facts, effective_at: Math.floor(now) },
        event: `agent-${to === "active" ? "activated" : to}`,
        extra: { ...facts, issuer_key: issuer.value, ...(reason === undefined ? {} : { reason }) },
        follow: (chainSeq) => ({ kind: "lifecycle", agentId, chainSeq, ...changed }),
      },
      now,
    );
    this.#desk.outputs.log("info", "agent-status-changed", { agentId, method, from: previous, to, reason });
    return ok(undefined);
  }

  /** The issuer's key, named. Failures are in the log: they are attempts on somebody's identity. */
  #issuer({ connection, exchange }: AskedByAnybody, agent: RegisteredAgent): Result<string> {
    const { peerKey } = connection;
    const { method } = exchange;
    const { agentId } = agent;
    if (peerKey === undefined) {
      this.#desk.outputs.log("warn", "lifecycle-refused", {
        agentId,
        method,
        code: "genesis-issuer-cert-required",
      });
      return refuse(
        "genesis-issuer-cert-required",
        "Only the Genesis's issuer may do this, over TLS with a certificate of its key.",
        "connection",
        { reason: "genesis-issuer-cert-required" },
      );
    }
    const presented = keyId(peerKey);
    if (encodeHex(peerKey) !== encodeHex(agent.genesis.issuerKey)) {
      this.#desk.outputs.log("warn", "lifecycle-refused", {
        agentId,
        method,
        code: "issuer-mismatch",
        presented,
      });
      return refuse("issuer-mismatch", "Another key issued this agent's Genesis.", "connection");
    }
    return ok(presented);
  }
}
