import type { JsonObject } from "../../codecs/canonical-json.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { ErasureTarget } from "../record-log.ts";
import { formatUtc } from "../utc-time.ts";
import type { Asked } from "./asked.ts";
import type { Authorities } from "./authorities.ts";
import type { Desk } from "./desk.ts";
import type { Endings } from "./endings.ts";
import type { ExchangeId, SwitchboardInput } from "./io.ts";
import { isOperator } from "./operator.ts";
import type { RedactParameters } from "./parameters.ts";
import type { Exchange } from "./replies.ts";
import type { SessionTable } from "./session-table.ts";

/** Erasures asked for and not answered; beyond: 429 `rate-limited`. */
const MAX_ERASURES = 16;
/** How often records that have become too old are looked for, milliseconds. */
const RETENTION_ROUND = 86_400_000;
const DAY = 86_400_000;
/** Code of `sfu/carrier`, which this room cannot see. */
const CLOSE_FORBIDDEN = 6;

/**
 * Erasing what the log holds of an agent, of a session or of a time gone by, so that the chain stays whole. What the erased agent takes
 * part in ends first; the log does the rest, and a record says what was erased without naming it.
 */
export class Erasing {
  readonly #desk: Desk;
  readonly #table: SessionTable;
  readonly #endings: Endings;
  readonly #authorities: Authorities;
  /** At most {@link MAX_ERASURES}. */
  readonly #waiting = new Map<ExchangeId, Exchange>();
  #hasBegun = false;

  constructor(desk: Desk, table: SessionTable, endings: Endings, authorities: Authorities) {
    this.#desk = desk;
    this.#table = table;
    this.#endings = endings;
    this.#authorities = authorities;
  }

  /** Erasures asked for and not answered. */
  get size(): number {
    return this.#waiting.size;
  }

  /** REDACT /records: of an agent or a session. Neither path nor answer names it, or the record of this would. */
  redact(asked: Asked, parameters: RedactParameters): Result<void> {
    if (!isOperator(this.#desk, asked)) return refuse("operator-required", "Only the operator may erase.");
    const target = this.#targetOf(parameters);
    if (!target.ok) return target;
    if (this.#waiting.size >= MAX_ERASURES) return refuse("rate-limited", "Too many erasures are under way.");
    const { exchange } = asked;
    this.#waiting.set(exchange.id, exchange);
    this.#desk.outputs.push({ kind: "erase-wanted", exchange: exchange.id, target: target.value });
    return ok(undefined);
  }

  /** At the start: the first round. */
  begin(now: number): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.round(now);
  }

  /** Daily: has what became too old erased, where the operator wants that. */
  round(now: number): void {
    const { retentionDays } = this.#desk.config;
    if (retentionDays === undefined) return;
    this.#desk.timers.set("retention", "", now + RETENTION_ROUND);
    const before = Math.floor(now - retentionDays * DAY);
    this.#desk.outputs.push({ kind: "erase-wanted", exchange: undefined, target: { kind: "age", before } });
  }

  /** The log is about to begin. Not before: an agent that cannot be erased would be half gone. */
  prepare(target: ErasureTarget, now: number): void {
    if (target.kind === "agent") this.#forget(target.agentId, now);
  }

  /** The log is done, or could not. */
  deliver(input: Extract<SwitchboardInput, { kind: "erased" }>, now: number): void {
    const { exchange: id, target, outcome } = input;
    const exchange = id === undefined ? undefined : this.#waiting.get(id);
    if (id !== undefined) this.#waiting.delete(id);
    const { outputs, replies } = this.#desk;
    if (outcome === undefined) {
      if (exchange !== undefined)
        replies.refuse(exchange, refuse("server-error", "The log could not erase.").fault, now);
      return;
    }
    if (outcome === "no-room") {
      const message =
        "To erase takes room for a second copy of the log, which the disk has not. Nothing was erased.";
      if (exchange !== undefined) replies.refuse(exchange, refuse("capacity", message).fault, now);
      return;
    }
    if (outcome === "session-open") {
      if (exchange !== undefined) replies.refuse(exchange, sessionOpen("open").fault, now);
      return;
    }
    const entries = [{ kind: "erased", erasure: outcome.number }] as const;
    const facts: JsonObject = {
      erasure: outcome.number,
      of: target.kind,
      records: outcome.records,
      artifacts: outcome.artifacts,
      audit_ids_digest: outcome.digest,
      ...(target.kind === "age" ? { older_than: formatUtc(target.before) } : {}),
    };
    const extra = { ...facts, by: target.kind === "age" ? "retention" : "operator" };
    const isNothing = outcome.records + outcome.artifacts === 0;
    if (exchange !== undefined) {
      replies.answer(exchange, { result: facts, event: "records-erased", extra, entries }, now);
    } else if (target.kind === "age" && isNothing) outputs.push({ kind: "append", entries });
    else replies.note("records-erased", extra, undefined, entries, now);
    const { records, artifacts, number } = outcome;
    outputs.log("info", "records-erased", { erasure: number, of: target.kind, records, artifacts });
  }

  #targetOf({ agent_id: agentId, session_id: sessionId }: RedactParameters): Result<ErasureTarget> {
    if ((agentId === undefined) === (sessionId === undefined)) {
      return refuse("field-invalid", "It names an agent or a session.", "parameters");
    }
    if (agentId !== undefined) {
      if (agentId === this.#desk.identity.agentId) {
        return refuse(
          "agent-mismatch",
          "The server is not erased: its chain is its own.",
          "parameters.agent_id",
        );
      }
      return ok({ kind: "agent", agentId });
    }
    const session = this.#table.get(sessionId as string);
    if (session !== undefined) return sessionOpen(session.state);
    return ok({ kind: "session", sessionId: sessionId as string });
  }

  /** Ends all that the agent is in, at once and with its final record, and knows it no more. */
  #forget(agentId: string, now: number): void {
    const { registry, connections, outputs } = this.#desk;
    registry.retireToForget(agentId);
    this.#authorities.followChanges(now);
    // Last statements are not waited for: they would be erased.
    for (const session of this.#table.of(agentId)) this.#endings.closingWindowOver(session, now);
    outputs.push({ kind: "left-wanted", agentId, reason: "identity-revoked" });
    registry.forget(agentId);
    for (const connection of connections.all()) {
      if (connection.agentId !== agentId || connection.closing) continue;
      connection.closing = true;
      outputs.push({
        kind: "close",
        connection: connection.id,
        code: CLOSE_FORBIDDEN,
        reason: "agent-erased",
      });
    }
  }
}

function sessionOpen(state: string) {
  return refuse("session-state-conflict", "The session is up or closing.", "parameters.session_id", {
    state,
  });
}
