import type { JsonObject } from "../../codecs/canonical-json.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { AccessGrant, AgentCertificate } from "../authority.ts";
import { readProof, verifyProof } from "../proof.ts";
import type { LogEntry } from "../record-log.ts";
import { readShape } from "../shape.ts";
import { CLOCK_SKEW_SECONDS } from "../validity.ts";
import type { AgentRoom } from "./agent-room.ts";
import { type ConnectionState, signerOf } from "./connections.ts";
import type { Desk } from "./desk.ts";
import { findGateway, findSubject } from "./gateway-checks.ts";
import { isVouchedFor } from "./grants.ts";
import { FULL_RETRY_MS } from "./load.ts";
import { CREDENTIALS } from "./parameters.ts";
import type { RegisteredAgent } from "./registry.ts";
import type { Exchange } from "./replies.ts";
import { SharedRates } from "./shared-rates.ts";

/** What an exchange takes: nobody in particular, a connection bound to an agent, or a proof of its own. */
export type Requirement = "anonymous" | "bound" | "proof";

/** Says whose request it is, and binds a connection to the agent that proves itself first. */
export class Identification {
  readonly #desk: Desk;
  readonly #rates: SharedRates;
  readonly #room: AgentRoom;

  constructor(desk: Desk, room: AgentRoom) {
    this.#desk = desk;
    this.#room = room;
    this.#rates = new SharedRates(desk.config.limits, desk.shared.rates);
  }

  /**
   * The agent that sent this request; `undefined` for an anonymous one. A proof is judged wherever one is sent; where the client showed
   * an Agent Certificate, that stands for one. Where a gateway proves itself for an agent, it is that agent's request. `grant`: what its access token says. Faults: `agent-certificate-refused`,
   * `proof-required` with `details.nonce`, `proof-invalid`, `proof-replayed`, `agent-unknown`, `agent-mismatch`, `gateway-refused`, `token-required`, `capacity`,
   * `shared-state-unavailable`, `rate-limited` for a newcomer, `genesis-invalid` and the other identity faults.
   */
  identify(
    connection: ConnectionState,
    exchange: Exchange,
    parameters: JsonObject,
    requirement: Requirement,
    grant: AccessGrant | undefined,
    now: number,
  ): Result<RegisteredAgent | undefined> {
    const shown = this.#desk.certification.of(connection, now);
    if (!shown.ok && requirement !== "anonymous") return shown;
    const certificate = shown.ok ? shown.value : undefined;
    if (certificate !== undefined) {
      const named = exchange.agentId ?? certificate.agentId;
      if (named !== certificate.agentId)
        return refuse("agent-mismatch", "The certificate is of another agent.", "header Agent-ID");
      return this.#certified(connection, exchange, parameters, { certificate, requirement, grant }, now);
    }
    const bound = connection.agentId;
    const signer = signerOf(connection);
    if (signer !== undefined && exchange.agentId !== undefined && exchange.agentId !== signer) {
      return refuse("agent-mismatch", "The connection speaks for another agent.", "header Agent-ID");
    }
    if (parameters.proof !== undefined) return this.#judge(connection, exchange, parameters, grant, now);
    if (requirement === "proof" || (requirement === "bound" && bound === undefined)) {
      return refuse("proof-required", "Prove whose request this is.", "parameters.proof", {
        nonce: connection.nonce,
      });
    }
    return ok(bound === undefined ? undefined : this.#desk.registry.acting(bound));
  }

  /** The agent that a certificate names, once its Genesis is known to be of that Agent-ID: registered here, or brought along. */
  #certified(
    connection: ConnectionState,
    exchange: Exchange,
    parameters: JsonObject,
    shown: {
      readonly certificate: AgentCertificate;
      readonly requirement: Requirement;
      readonly grant: AccessGrant | undefined;
    },
    now: number,
  ): Result<RegisteredAgent | undefined> {
    const { certificate, requirement, grant } = shown;
    const { agentId, ownerId } = certificate;
    if (agentId === this.#desk.registry.operator.agentId)
      return refuse("agent-mismatch", "The server's own key alone speaks for the server.", "certificate[0]");
    if (parameters.proof !== undefined) {
      const claimed = this.#judge(connection, { ...exchange, agentId }, parameters, grant, now);
      if (!claimed.ok) return claimed;
    }
    const credentials = readShape(CREDENTIALS, parameters, "parameters");
    if (!credentials.ok) return credentials;
    const { genesis, identity_document: document } = credentials.value;
    const agent = this.#desk.registry.find(agentId, genesis, document, isVouchedFor(agentId, grant));
    // Who only looks around need not be known.
    if (!agent.ok)
      return requirement === "anonymous" && connection.agentId === undefined ? ok(undefined) : agent;
    const { ownerId: owner } = agent.value.genesis;
    if (owner !== "" && owner !== ownerId)
      return refuse(
        "agent-mismatch",
        "The certificate is of another owner than the Genesis.",
        "certificate[0]",
      );
    connection.authority = { ...connection.authority, certificate };
    return this.#keep(connection, agent.value, { isOwn: false }, now);
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
    const { proof = "", genesis, identity_document: document, on_behalf_of: behalf } = credentials.value;
    const claimed = readProof(proof);
    if (!claimed.ok) return claimed;
    const agentId = exchange.agentId ?? claimed.value.agent_id;
    const subject = behalf ?? (connection.gateway === undefined ? undefined : connection.agentId);
    const isOther = connection.agentId !== undefined && connection.agentId !== (subject ?? agentId);
    if (isOther || (signerOf(connection) ?? agentId) !== agentId) {
      return refuse("agent-mismatch", "The connection speaks for another agent.", "proof.agent_id");
    }
    const { operator } = this.#desk.registry;
    // Nothing but a proof by the server's own key makes an operator.
    const agent =
      subject !== undefined
        ? findGateway(this.#desk, { agentId, genesis, document })
        : agentId === operator.agentId
          ? ok(operator)
          : this.#desk.registry.find(agentId, genesis, document, isVouchedFor(agentId, grant));
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
        certificateHashes: this.#desk.config.certificateHashes(),
        now,
      },
      this.#desk.verifier,
    );
    if (!verified.ok) return verified;
    const expires = (verified.value.exp + CLOCK_SKEW_SECONDS) * 1000;
    const fresh = this.#desk.shared.proofs.take(agentId, verified.value.jti, expires, now);
    if (!fresh.ok) return fresh;
    if (subject !== undefined) return this.#keepGateway(connection, agent.value, subject, grant, now);
    return this.#keep(connection, agent.value, { isOwn: !isVouchedFor(agentId, grant) }, now);
  }

  /** From now on the connection is `gateway`'s, for `subject`. */
  #keepGateway(
    connection: ConnectionState,
    gateway: RegisteredAgent,
    subject: string,
    grant: AccessGrant | undefined,
    now: number,
  ): Result<RegisteredAgent> {
    const agent = findSubject(this.#desk, subject, grant ?? connection.authority.grant);
    if (!agent.ok) return agent;
    const entry = this.#desk.registry.admit(gateway, "other");
    if (entry !== undefined) this.#desk.outputs.push({ kind: "append", entries: [entry] });
    const kept = this.#keep(connection, agent.value, { isOwn: !isVouchedFor(subject, grant) }, now);
    if (kept.ok) connection.gateway = gateway;
    return kept;
  }

  /** `isOwn`: nobody vouches for it, by a certificate or an access token. */
  #keep(
    connection: ConnectionState,
    agent: RegisteredAgent,
    { isOwn }: { readonly isOwn: boolean },
    now: number,
  ): Result<RegisteredAgent> {
    const { registry } = this.#desk;
    const isNew = connection.agentId === undefined;
    if (registry.acting(agent.agentId) === undefined) {
      const allowed = this.#rates.takeRegistration(connection, now);
      if (!allowed.ok) return allowed;
      const room = this.#room.make({ isOwn });
      if (!room.ok) return room;
    }
    if (!this.#desk.connections.bind(connection, agent.agentId, now)) {
      connection.overfull = true;
      return refuse("capacity", "This agent has as many connections as it may.", "proof.agent_id", {
        retry_after_ms: FULL_RETRY_MS,
      });
    }
    registry.seen(agent.agentId);
    const entry: LogEntry | undefined = registry.admit(agent, isOwn ? { itself: now } : "other");
    if (entry !== undefined) this.#desk.outputs.push({ kind: "append", entries: [entry] });
    if (isNew)
      this.#desk.outputs.log("info", "connection-bound", {
        connection: connection.id,
        agentId: agent.agentId,
      });
    return ok(agent);
  }
}
