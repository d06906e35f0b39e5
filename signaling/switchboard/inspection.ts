import type { JsonObject } from "../../codecs/canonical-json.ts";
import { type Fault, ok, type Result, refuse } from "../../codecs/result.ts";
import type { ConnectionId } from "../admission.ts";
import { type AttributionPayload, auditId, readRecord, ZERO_AUDIT_ID } from "../attribution.ts";
import type { Asked } from "./asked.ts";
import type { Desk } from "./desk.ts";
import type { ExchangeId } from "./io.ts";
import type { InspectParameters } from "./parameters.ts";
import type { Exchange } from "./replies.ts";

/** Look-ups in the log at once; beyond: 429 `rate-limited`. */
const MAX_LOOK_UPS = 64;
/** Entries of a lifecycle that one answer has where the asker does not say, and at most. */
const LIFECYCLE_ENTRIES = 32;
/**
 * Records at a session's beginning that tell who takes part in it: an answer to each request of the caller that waited, then the
 * callee's.
 */
export const ROOT_RECORDS = 9;

interface LookUp {
  readonly exchange: Exchange;
  readonly agentId: string;
  readonly parameters: InspectParameters;
}

/** INSPECT /: records out of the log by name, for those whose they are. */
export class Inspection {
  readonly #desk: Desk;
  /** At most {@link MAX_LOOK_UPS}. */
  readonly #lookUps = new Map<ExchangeId, LookUp>();

  constructor(desk: Desk) {
    this.#desk = desk;
  }

  /** Look-ups under way. */
  get size(): number {
    return this.#lookUps.size;
  }

  inspect(asked: Asked, parameters: InspectParameters, now: number): Result<void> {
    const { exchange, agent } = asked;
    const { identity, replies, registry, outputs } = this.#desk;
    const subject = parameters.agent_id ?? identity.agentId;
    switch (parameters.target) {
      case "contract":
      case "rcns-attempt":
        return notFound(`There is no ${parameters.target} here.`);
      case "chain_head": {
        // The server's is the only chain here: agents are named in it, and keep none.
        if (subject !== identity.agentId) return notFound("That agent has no chain here.");
        const head = replies.head;
        replies.answer(
          exchange,
          {
            result: {
              agent_id: subject,
              audit_id: head?.auditId ?? ZERO_AUDIT_ID,
              ...(head === undefined ? {} : { chain_seq: head.chainSeq }),
            },
          },
          now,
        );
        return ok(undefined);
      }
      case "lifecycle":
        if (subject !== identity.agentId && registry.get(subject) === undefined) {
          return refuse("agent-not-found", "No such agent is known here.", "parameters.agent_id");
        }
        break;
      case "audit":
        if (parameters.audit_id === undefined) {
          return refuse("field-invalid", "This is missing.", "parameters.audit_id");
        }
    }
    if (this.#lookUps.size >= MAX_LOOK_UPS) return refuse("rate-limited", "Too many records are being read.");
    this.#lookUps.set(exchange.id, { exchange, agentId: agent.agentId, parameters });
    const { audit_id: name, limit = LIFECYCLE_ENTRIES } = parameters;
    outputs.push({
      kind: "look-up-wanted",
      exchange: exchange.id,
      what:
        parameters.target === "audit" && name !== undefined
          ? { kind: "record", auditId: name }
          : { kind: "lifecycle", agentId: subject, count: limit },
    });
    return ok(undefined);
  }

  /** The driver looked, or could not. */
  deliver(id: ExchangeId, found: readonly string[] | undefined, now: number): void {
    const lookUp = this.#lookUps.get(id);
    if (lookUp === undefined) return;
    this.#lookUps.delete(id);
    const { exchange, parameters } = lookUp;
    const answer =
      found === undefined
        ? refuse("server-error", "The records cannot be read.")
        : parameters.target === "audit"
          ? this.#audit(lookUp, found)
          : ok(this.#lifecycle(parameters, found));
    if (answer.ok) this.#desk.replies.answer(exchange, { result: answer.value }, now);
    else this.#desk.replies.refuse(exchange, answer.fault, now);
  }

  /** Nobody waits for these any more. */
  drop(connection: ConnectionId, exchange?: ExchangeId): void {
    for (const [id, lookUp] of this.#lookUps) {
      if (lookUp.exchange.connection !== connection) continue;
      if (exchange === undefined || id === exchange) this.#lookUps.delete(id);
    }
  }

  /** `found` is the record, then the first ones of its session where it has one. */
  #audit({ agentId }: LookUp, found: readonly string[]): Result<JsonObject> {
    const [jws, ...roots] = found;
    if (jws === undefined) return notFound("There is no such record.");
    const record = readRecord(jws);
    if (!record.ok) return refuse("server-error", "The record cannot be read.");
    if (!this.#mayRead(agentId, record.value, roots)) {
      return refuse("record-forbidden", "This record is not yours to read.", "parameters.audit_id");
    }
    return ok({
      audit_id: auditId(jws),
      format: "jws",
      record: jws,
      payload: record.value as unknown as JsonObject,
    });
  }

  #lifecycle(parameters: InspectParameters, found: readonly string[]): JsonObject {
    const agentId = parameters.agent_id ?? this.#desk.identity.agentId;
    const entries = found.map((jws) => ({ format: "jws", audit_id: auditId(jws), entry: jws }));
    return { agent_id: agentId, status: this.#desk.registry.get(agentId)?.status ?? "active", entries };
  }

  /** A record is read by whom it answered, by the session's participants, by the agent whose status it changes, and by the server. */
  #mayRead(agentId: string, record: AttributionPayload, roots: readonly string[]): boolean {
    if (agentId === this.#desk.identity.agentId) return true;
    if (record.counterparty_agent_id === agentId || record.extra?.agent_id === agentId) return true;
    if (record.session_id === undefined) return false;
    return roots.some((jws) => {
      const root = readRecord(jws);
      return (
        root.ok &&
        root.value.session_id === record.session_id &&
        root.value.event === "session-established" &&
        root.value.counterparty_agent_id === agentId
      );
    });
  }
}

function notFound(message: string): { readonly ok: false; readonly fault: Fault } {
  return refuse("record-not-found", message, "parameters");
}
