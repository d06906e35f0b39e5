import type { JsonObject } from "../../codecs/canonical-json.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { Verifier } from "../../codecs/signer.ts";
import type { AccessGrant } from "../authority.ts";
import { readProof, verifyProof } from "../proof.ts";
import type { LogEntry } from "../record-log.ts";
import { readShape } from "../shape.ts";
import type { ProofMemory } from "../shared-state.ts";
import { CLOCK_SKEW_SECONDS } from "../validity.ts";
import type { SwitchboardConfig } from "./config.ts";
import type { ConnectionState, Connections } from "./connections.ts";
import { isVouchedFor } from "./grants.ts";
import type { Outputs } from "./outputs.ts";
import { CREDENTIALS } from "./parameters.ts";
import type { RegisteredAgent, Registry } from "./registry.ts";
import type { Exchange } from "./replies.ts";

/** What an exchange takes: nobody in particular, a connection bound to an agent, or a proof of its own. */
export type Requirement = "anonymous" | "bound" | "proof";

/** Says whose request it is, and binds a connection to the agent that proves itself first. */
export class Identification {
  readonly #config: SwitchboardConfig;
  readonly #verifier: Verifier;
  readonly #connections: Connections;
  readonly #registry: Registry;
  readonly #outputs: Outputs;
  readonly #proofs: ProofMemory;

  constructor(
    config: SwitchboardConfig,
    verifier: Verifier,
    connections: Connections,
    registry: Registry,
    outputs: Outputs,
    proofs: ProofMemory,
  ) {
    this.#config = config;
    this.#verifier = verifier;
    this.#connections = connections;
    this.#registry = registry;
    this.#outputs = outputs;
    this.#proofs = proofs;
  }

  /**
   * The agent that sent this request; `undefined` for an anonymous one. A proof is judged wherever one is sent.
   * `grant`: what its access token says. Faults:
   * `proof-required` with `details.nonce`, `proof-invalid`, `proof-replayed`, `agent-unknown`, `agent-mismatch`, `capacity`,
   * `shared-state-unavailable`, `genesis-invalid` and the other identity faults.
   */
  identify(
    connection: ConnectionState,
    exchange: Exchange,
    parameters: JsonObject,
    requirement: Requirement,
    grant: AccessGrant | undefined,
    now: number,
  ): Result<RegisteredAgent | undefined> {
    const bound = connection.agentId;
    if (bound !== undefined && exchange.agentId !== undefined && exchange.agentId !== bound) {
      return refuse("agent-mismatch", "The connection speaks for another agent.", "header Agent-ID");
    }
    if (parameters.proof !== undefined) return this.#judge(connection, exchange, parameters, grant, now);
    if (requirement === "proof" || (requirement === "bound" && bound === undefined)) {
      return refuse("proof-required", "Prove whose request this is.", "parameters.proof", {
        nonce: connection.nonce,
      });
    }
    return ok(bound === undefined ? undefined : this.#registry.acting(bound));
  }

  #judge(
    connection: ConnectionState,
    exchange: Exchange,
    parameters: JsonObject,
    grant: AccessGrant | undefined,
    now: number,
  ): Result<RegisteredAgent> {
    const credentials = readShape(CREDENTIALS, parameters, "parameters");
    if (!credentials.ok) return credentials;
    const { proof = "", genesis, identity_document: document } = credentials.value;
    const claimed = readProof(proof);
    if (!claimed.ok) return claimed;
    const agentId = exchange.agentId ?? claimed.value.agent_id;
    if (connection.agentId !== undefined && connection.agentId !== agentId) {
      return refuse("agent-mismatch", "The connection speaks for another agent.", "proof.agent_id");
    }
    const { operator } = this.#registry;
    // Nothing but a proof by the server's own key makes an operator.
    const agent =
      agentId === operator.agentId
        ? ok(operator)
        : this.#registry.find(agentId, genesis, document, isVouchedFor(agentId, grant));
    if (!agent.ok) return agent;
    const verified = verifyProof(
      proof,
      {
        agentId,
        publicKey: agent.value.genesis.agentKey,
        method: exchange.method,
        path: exchange.path,
        parameters,
        nonce: connection.nonce,
        channelBinding: connection.channelBinding,
        origins: connection.origins,
        certificateHashes: this.#config.certificateHashes(),
        now,
      },
      this.#verifier,
    );
    if (!verified.ok) return verified;
    const expires = (verified.value.exp + CLOCK_SKEW_SECONDS) * 1000;
    const fresh = this.#proofs.take(agentId, verified.value.jti, expires, now);
    if (!fresh.ok) return fresh;
    return this.#keep(connection, agent.value, now);
  }

  #keep(connection: ConnectionState, agent: RegisteredAgent, now: number): Result<RegisteredAgent> {
    const isNew = connection.agentId === undefined;
    if (!this.#connections.bind(connection, agent.agentId, now)) {
      connection.overfull = true;
      return refuse("capacity", "This agent has as many connections as it may.", "proof.agent_id");
    }
    const entry: LogEntry | undefined = this.#registry.admit(agent);
    if (entry !== undefined) this.#outputs.push({ kind: "append", entries: [entry] });
    if (isNew)
      this.#outputs.log("info", "connection-bound", { connection: connection.id, agentId: agent.agentId });
    return ok(agent);
  }
}
