import type { JsonObject } from "../../codecs/canonical-json.ts";
import { type Fault, ok, type Result, refuse } from "../../codecs/result.ts";
import type { ConnectionId } from "../admission.ts";
import { type AttributionPayload, auditId, readRecord, ZERO_AUDIT_ID } from "../attribution.ts";
import { isTombstone, readTombstone } from "../tombstone.ts";
import type { AskedByAnybody } from "./asked.ts";
import type { Desk } from "./desk.ts";
import type { ExchangeId, LookedUp, LookUpTarget } from "./io.ts";
import { isOperator } from "./operator.ts";
import type { InspectParameters } from "./parameters.ts";
import type { Exchange } from "./replies.ts";

/** Look-ups in the log at once; beyond: 429 `rate-limited`. */
const MAX_LOOK_UPS = 64;
/** Entries that one answer has where the asker does not say. */
const ENTRIES = 32;

interface LookUp {
  readonly exchange: Exchange;
  /** Whose records the asker reads: its own, or everybody's. */
  readonly reader: { readonly agentId: string } | "everything";
  readonly parameters: InspectParameters;
  /** How many were asked for. */
  readonly count: number;
}

/** INSPECT /: records out of the log, by name, by session, by agent or in the order of the chain, for those whose they are. */
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

  /** Faults: `record-not-found`, `record-erased`, `record-forbidden`, `agent-not-found`, `field-invalid`, `rate-limited`. */
  inspect(asked: AskedByAnybody, parameters: InspectParameters, now: number): Result<void> {
    const { exchange } = asked;
    const reader = this.#readerOf(asked);
    if (reader === undefined) return forbidden("The operator alone reads records here.");
    if (parameters.target === "chain_head") return this.#chainHead(exchange, parameters, now);
    const what = this.#targetOf(reader, parameters);
    if (!what.ok) return what;
    if (this.#lookUps.size >= MAX_LOOK_UPS) return refuse("rate-limited", "Too many records are being read.");
    const count = "count" in what.value ? what.value.count : 1;
    this.#lookUps.set(exchange.id, { exchange, reader, parameters, count });
    this.#desk.outputs.push({ kind: "look-up-wanted", exchange: exchange.id, what: what.value });
    return ok(undefined);
  }

  /** The driver looked, or could not. */
  deliver(id: ExchangeId, found: LookedUp | undefined, now: number): void {
    const lookUp = this.#lookUps.get(id);
    if (lookUp === undefined) return;
    this.#lookUps.delete(id);
    const { exchange } = lookUp;
    const answer =
      found === undefined
        ? refuse("server-error", "The records cannot be read.")
        : this.#answerOf(lookUp, found);
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

  /** Whose records the asker may read; `undefined`: none. */
  #readerOf(asked: AskedByAnybody): LookUp["reader"] | undefined {
    const { recordReading = "agent_only" } = this.#desk.config;
    if (isOperator(this.#desk, asked) || recordReading === "public") return "everything";
    if (recordReading === "operator_only" || asked.agent === undefined) return undefined;
    return { agentId: asked.agent.agentId };
  }

  #chainHead(exchange: Exchange, { agent_id }: InspectParameters, now: number): Result<void> {
    const { identity, replies } = this.#desk;
    const subject = agent_id ?? identity.agentId;
    // The server's is the only chain here: agents are named in it, and keep none.
    if (subject !== identity.agentId) return notFound("That agent has no chain here.");
    const head = replies.head;
    const place = head === undefined ? {} : { chain_seq: head.chainSeq };
    const result = { agent_id: subject, audit_id: head?.auditId ?? ZERO_AUDIT_ID, ...place };
    replies.answer(exchange, { result }, now);
    return ok(undefined);
  }

  #targetOf(reader: LookUp["reader"], parameters: InspectParameters): Result<LookUpTarget> {
    const { identity, registry } = this.#desk;
    const { target, limit: count = ENTRIES, before = Number.MAX_SAFE_INTEGER, after } = parameters;
    const from = after === undefined ? 0 : after + 1;
    switch (target) {
      case "audit":
        if (parameters.audit_id === undefined) return missing("audit_id");
        return ok({ kind: "record", auditId: parameters.audit_id });
      case "lifecycle": {
        const agentId = parameters.agent_id ?? identity.agentId;
        if (registry.isForgotten(agentId))
          return refuse("record-erased", "What was kept of the agent was erased.");
        if (agentId !== identity.agentId && registry.get(agentId) === undefined) {
          return refuse("agent-not-found", "No such agent is known here.", "parameters.agent_id");
        }
        return ok({ kind: "lifecycle", agentId, count, before });
      }
      case "sessions": {
        const own = reader === "everything" ? undefined : reader.agentId;
        const agentId = parameters.agent_id ?? own;
        if (agentId === undefined) return missing("agent_id");
        if (own !== undefined && agentId !== own) return forbidden("Those are another agent's sessions.");
        return ok({ kind: "sessions", agentId, count, before });
      }
      case "session": {
        const { session_id: sessionId } = parameters;
        return sessionId === undefined
          ? missing("session_id")
          : ok({ kind: "session", sessionId, from, count });
      }
      case "chain":
        if (reader !== "everything") return forbidden("The whole chain is not yours to read.");
        return ok({ kind: "chain", from, count });
      default:
        return notFound(`There is no ${target} here.`);
    }
  }

  #answerOf({ reader, parameters, count }: LookUp, found: LookedUp): Result<JsonObject> {
    const { records, roots = [], sessions = [] } = found;
    const [first] = records;
    const more = records.length === count;
    switch (parameters.target) {
      case "audit":
        return first === undefined ? notFound("There is no such record.") : audit(reader, first, roots);
      case "lifecycle":
        return ok(this.#lifecycle(parameters, records, more));
      case "sessions": {
        const last = sessions.at(-1);
        const entries = sessions.map(({ sessionId, chainSeq }) => ({
          session_id: sessionId,
          chain_seq: chainSeq,
        }));
        const next = sessions.length === count && last !== undefined ? { next: last.chainSeq } : {};
        return ok({ sessions: entries, ...next });
      }
      case "session":
        if (roots.length === 0) return refuse("session-not-found", "There is no such session.", "parameters");
        if (reader !== "everything" && roots.some(isTombstone) && !roots.some(tellsAnEnd))
          return refuse(
            "record-erased",
            "What tells who took part in this session was erased.",
            "parameters",
          );
        if (!takesPart(reader, parameters.session_id, roots))
          return forbidden("You take no part in this session.");
        return ok({ session_id: parameters.session_id as string, records, more });
      default:
        return ok({ records, more });
    }
  }

  #lifecycle(parameters: InspectParameters, records: readonly string[], more: boolean): JsonObject {
    const agentId = parameters.agent_id ?? this.#desk.identity.agentId;
    const entries = records.map((jws) => ({ format: "jws", audit_id: auditId(jws), entry: jws }));
    const last = more ? readRecord(records.at(-1) ?? "") : undefined;
    const next =
      last?.ok === true && last.value.chain_seq !== undefined ? { next: last.value.chain_seq } : {};
    return {
      agent_id: agentId,
      status: this.#desk.registry.get(agentId)?.status ?? "active",
      entries,
      ...next,
    };
  }
}

function audit(reader: LookUp["reader"], jws: string, roots: readonly string[]): Result<JsonObject> {
  const tombstone = readTombstone(jws);
  if (tombstone.ok) {
    const mayRead = takesPart(reader, tombstone.value.session_id, roots);
    const details = mayRead ? { tombstone: jws } : {};
    return refuse("record-erased", "What this record said was erased.", "parameters.audit_id", details);
  }
  const record = readRecord(jws);
  if (!record.ok) return refuse("server-error", "The record cannot be read.");
  if (!mayRead(reader, record.value, roots)) return forbidden("This record is not yours to read.");
  return ok({
    audit_id: auditId(jws),
    format: "jws",
    record: jws,
    payload: record.value as unknown as JsonObject,
  });
}

/** A record is read by whom it answered, by the session's participants, and by the agent whose status it changes. */
function mayRead(reader: LookUp["reader"], record: AttributionPayload, roots: readonly string[]): boolean {
  if (reader === "everything") return true;
  const { agentId } = reader;
  if (record.counterparty_agent_id === agentId || record.extra?.agent_id === agentId) return true;
  return takesPart(reader, record.session_id, roots);
}

/** Whether the first records of the session say that the reader takes part in it. */
function takesPart(
  reader: LookUp["reader"],
  sessionId: string | undefined,
  roots: readonly string[],
): boolean {
  if (reader === "everything") return true;
  if (sessionId === undefined) return false;
  return roots.some((jws) => {
    const root = readRecord(jws);
    return (
      root.ok &&
      root.value.session_id === sessionId &&
      root.value.event === "session-established" &&
      root.value.counterparty_agent_id === reader.agentId
    );
  });
}

/** Whether a record says who takes part in its session. */
function tellsAnEnd(jws: string): boolean {
  const root = readRecord(jws);
  return root.ok && root.value.event === "session-established";
}

function missing(name: string) {
  return refuse("field-invalid", "This is missing.", `parameters.${name}`);
}

function forbidden(message: string) {
  return refuse("record-forbidden", message, "parameters");
}

function notFound(message: string): { readonly ok: false; readonly fault: Fault } {
  return refuse("record-not-found", message, "parameters");
}
