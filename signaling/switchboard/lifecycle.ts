import { encodeHex } from "../../codecs/hex.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { AgentStatus } from "../identity-document.ts";
import { keyId } from "../keys.ts";
import type { AgentRoom } from "./agent-room.ts";
import type { AskedByAnybody } from "./asked.ts";
import type { Desk } from "./desk.ts";
import { enrol } from "./enrolling.ts";
import { isOperator } from "./operator.ts";
import type { LifecycleParameters } from "./parameters.ts";
import { isStricter, type RegisteredAgent } from "./registry.ts";

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

/** Who changes a status, as the record says it. */
type By = { readonly by: "operator" } | { readonly by: "issuer"; readonly issuer_key: string };

/**
 * Changes of an agent's status by who issued its Genesis, or by the operator. Whose key it is, the certificate of the connection tells:
 * these requests need no proof, since the issuer need not be an agent; the operator's do. What follows for calls and inbox is for
 * `Authorities` to see to.
 */
export class Lifecycle {
  readonly #desk: Desk;
  readonly #room: AgentRoom;

  constructor(desk: Desk, room: AgentRoom) {
    this.#desk = desk;
    this.#room = room;
  }

  /**
   * Faults: `agent-not-found`, `genesis-issuer-cert-required`, `issuer-mismatch`, `lifecycle-conflict`, `operator-required` for an
   * issuer that would lift what the operator said, `field-invalid` for a REVOKE that names a session; of an ACTIVATE with which the
   * operator registers an agent also `genesis-invalid`, `agent-mismatch`, `capacity`.
   */
  change(
    asked: AskedByAnybody,
    method: LifecycleMethod,
    agentId: string,
    parameters: LifecycleParameters,
    now: number,
  ): Result<void> {
    const enrolled =
      method === "ACTIVATE" && isOperator(this.#desk, asked)
        ? enrol(this.#desk, this.#room, asked.exchange, agentId, parameters, now)
        : ok(false);
    if (!enrolled.ok || enrolled.value) return enrolled.ok ? ok(undefined) : enrolled;
    const agent = this.#desk.registry.get(agentId);
    if (agent === undefined) return refuse("agent-not-found", "No such agent is known here.", "path");
    const by = this.#by(asked, agent);
    if (!by.ok) return by;
    if (method === "REVOKE" && (parameters.session_id !== undefined || asked.headers.has("Session-ID"))) {
      return refuse(
        "field-invalid",
        "REVOKE retires an agent; a session is ended by TERMINATE.",
        "session_id",
      );
    }
    const { from, to: wanted } = EFFECTS[method];
    const previous = agent.status;
    const word = this.#desk.registry.operatorsWord(agent);
    const isIssuer = by.value.by === "issuer";
    const to = isIssuer && isStricter(word, wanted) ? word : wanted;
    if (previous === to && to !== wanted && from.includes(previous)) {
      return refuse(
        "operator-required",
        `The operator made the agent ${to}, and alone lifts that.`,
        "method",
        {
          status: to,
        },
      );
    }
    // What the issuer or a document said already becomes the operator's word: nobody else lifts it then.
    if (previous === wanted && (isIssuer || word === wanted)) {
      this.#desk.replies.answer(
        asked.exchange,
        { result: { agent_id: agentId, status: to, noop: true } },
        now,
      );
      return ok(undefined);
    }
    if (previous !== wanted && !from.includes(previous)) {
      return refuse("lifecycle-conflict", `${method} is not for an agent that is ${previous}.`, "method", {
        status: previous,
      });
    }
    const changed = this.#desk.registry.changeStatus(agent, to, by.value.by, now);
    const { reason } = parameters;
    const facts = { agent_id: agentId, status: to, previous_status: previous };
    this.#desk.replies.answer(
      asked.exchange,
      {
        result: { ...facts, effective_at: Math.floor(now) },
        event: `agent-${to === "active" ? "activated" : to}`,
        extra: { ...facts, ...by.value, ...(reason === undefined ? {} : { reason }) },
        follow: (chainSeq) => ({ kind: "lifecycle", agentId, chainSeq, ...changed }),
      },
      now,
    );
    this.#desk.outputs.log("info", "agent-status-changed", { agentId, method, from: previous, to, reason });
    return ok(undefined);
  }

  /** Who may do this, as the record says it. Failures are in the log: they are attempts on somebody's identity. */
  #by(asked: AskedByAnybody, agent: RegisteredAgent): Result<By> {
    if (isOperator(this.#desk, asked)) return ok({ by: "operator" });
    const { connection, exchange } = asked;
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
    return ok({ by: "issuer", issuer_key: presented });
  }
}
