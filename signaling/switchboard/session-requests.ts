import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { ConnectionId } from "../admission.ts";
import { isFinal, step } from "../session-machine.ts";
import type { Asked } from "./asked.ts";
import { signerOf } from "./connections.ts";
import type { Desk } from "./desk.ts";
import type { Endings } from "./endings.ts";
import type { LastWords } from "./last-words.ts";
import { artifact } from "./session.ts";
import type { TerminateParameters } from "./session-parameters.ts";
import type { SessionTable } from "./session-table.ts";
import { takeStatement } from "./statements.ts";
import type { StreamEnds } from "./stream-ends.ts";

/** What participants do with a session, and what their streams bring for it. */
export class SessionRequests {
  readonly #desk: Desk;
  readonly #table: SessionTable;
  readonly #endings: Endings;
  readonly #lastWords: LastWords;

  readonly #streamEnds: StreamEnds;

  constructor(
    desk: Desk,
    table: SessionTable,
    endings: Endings,
    lastWords: LastWords,
    streamEnds: StreamEnds,
  ) {
    this.#streamEnds = streamEnds;
    this.#desk = desk;
    this.#table = table;
    this.#endings = endings;
    this.#lastWords = lastWords;
  }

  /**
   * TERMINATE /sessions/{id}, or another name of it: media stops at once, the answer waits for the caller's last statements. Both ends may hang up
   * at once: the second is answered like the first, with its reason kept.
   */
  terminate(asked: Asked, sessionId: string, parameters: TerminateParameters, now: number): Result<void> {
    const found = this.#table.participation(sessionId, asked.agent.agentId, now);
    if (!found.ok) return found;
    const { session, leg } = found.value;
    if (parameters.closing !== undefined) {
      const closing = this.#lastWords.checkClosing(session, leg, parameters.closing);
      if (!closing.ok) return closing;
    }
    if (!isFinal(session.state)) {
      const ended = this.#endings.end(
        session,
        "terminate",
        asked.agent.agentId,
        now,
        parameters.reason ?? "hangup",
      );
      if (!ended.ok) return ended;
    }
    if (parameters.closing !== undefined) this.#lastWords.takeClosing(session, leg, parameters.closing);
    const answered = this.#lastWords.answer(session, leg, asked.exchange, now);
    this.#endings.finishIfComplete(session, now);
    return answered;
  }

  /** True for a session of that agent, live or remembered. */
  takesPart(agentId: string, sessionId: string, now: number): boolean {
    const found = this.#table.participation(sessionId, agentId, now);
    return found.ok || found.fault.code === "session-terminated";
  }

  /**
   * Refuses a lower assurance than the session began with: who came with an Agent Certificate goes on with one, a gateway has nothing to do with
   * calls that it does not take part in, and who has one in a call looks at it and ends it, and leaves the rest to that one. Fault: `session-identity-mismatch`.
   */
  assured({ agent, connection, exchange }: Asked, sessionId: string, now: number): Result<void> {
    const found = this.#table.participation(sessionId, agent.agentId, now);
    if (found.ok && found.value.leg.signer.agentId !== signerOf(connection)) {
      if (connection.gateway !== undefined)
        return refuse("session-identity-mismatch", "The agent itself takes part in this session.", "path");
      if (!OF_AGENTS.has(exchange.method))
        return refuse("session-identity-mismatch", "A gateway takes part in this session for you.", "path");
    }
    const isCertified = found.ok && found.value.leg.authority.certificate !== undefined;
    if (!isCertified || connection.authority.certificate !== undefined) return ok(undefined);
    return refuse(
      "session-identity-mismatch",
      "This end came with an Agent Certificate: ask on a connection that shows one.",
      "connection",
    );
  }

  /** NOTIFY /sessions/{id} with a closing statement: the last word of the end that did not hang up. */
  close(asked: Asked, sessionId: string, closing: string, now: number): Result<void> {
    const found = this.#table.participation(sessionId, asked.agent.agentId, now);
    if (!found.ok) return found;
    const { session, leg } = found.value;
    if (!isFinal(session.state)) {
      return refuse("session-state-conflict", "The session has not ended.", "content.event", {
        state: session.state,
      });
    }
    const taken = this.#lastWords.takeClosing(session, leg, closing);
    if (!taken.ok) return taken;
    const answered = this.#lastWords.answer(session, leg, asked.exchange, now);
    this.#endings.finishIfComplete(session, now);
    return answered;
  }

  /** QUERY /sessions/{id}: answered with the relay's counters, or at once for a session that is over. */
  query(asked: Asked, sessionId: string, now: number): Result<void> {
    const found = this.#table.participation(sessionId, asked.agent.agentId, now);
    if (found.ok) {
      const { session } = found.value;
      if (step(session.state, "control").ok) session.lastActivity = now;
      return this.#endings.queryCounters(session, asked.exchange, now);
    }
    const past = this.#table.past(sessionId, now);
    if (past === undefined || found.fault.code !== "session-terminated") return found;
    const { state, ending, participants } = past;
    this.#desk.replies.answer(
      asked.exchange,
      {
        result: {
          session_id: sessionId,
          state,
          reason: ending.reason,
          by: ending.by,
          participants: participants.map((agentId, leg) => ({ leg, agent_id: agentId, attached: false })),
        },
        sessionId,
      },
      now,
    );
    return ok(undefined);
  }

  /** A checkpoint or receipt: kept as evidence and handed on when it holds, otherwise dropped by name. */
  item(connection: ConnectionId, flow: number, bytes: Uint8Array, now: number): void {
    const { outputs, verifier } = this.#desk;
    const route = this.#table.route(connection, flow);
    const session = route === undefined ? undefined : this.#table.get(route.sessionId);
    if (route === undefined || session === undefined || session.awaitingCounters.final) {
      outputs.log("debug", "statement-dropped", { connection, flow, code: "unknown-flow" });
      return;
    }
    const signer = session.legs[route.signer];
    const room = signer.statementRoom.left(now);
    const isLeft = route.from.connection !== connection || route.from.flow !== flow;
    const taken = takeStatement(route, bytes, { verifier, room, now, isLeft });
    if (!taken.ok) {
      const { code, at } = taken.fault;
      session.statementsDropped[code] = (session.statementsDropped[code] ?? 0) + 1;
      outputs.log("warn", "statement-dropped", { connection, flow, code, at, sessionId: session.id });
      this.#streamEnds.settle(session, now);
      this.#endings.finishIfComplete(session, now);
      return;
    }
    if (taken.value === undefined) {
      outputs.log("debug", "statement-repeated", { connection, flow, sessionId: session.id });
      return;
    }
    signer.statementRoom.take(bytes.length);
    // Who signs statements is there, even when nobody says anything.
    session.lastActivity = Math.max(session.lastActivity, now);
    const { checkpoint, hasGap = false } = taken.value;
    if (checkpoint !== undefined && (route.profile === "chain" || route.profileChanged === true)) {
      const { sessionId, speaker: leg, stream } = route;
      const { firstSequence, digests, final } = checkpoint;
      const listing = { sessionId, leg, stream, firstSequence, digests, final, hasGap };
      outputs.push({ kind: "admission", message: { kind: "checkpoint", ...listing } });
    }
    outputs.push({ kind: "item", sessionId: session.id, ...route.to, bytes });
    if (route.isFinal) outputs.push({ kind: "finish", ...route.to });
    outputs.push({ kind: "append", entries: [artifact(session, route.kind, route.signer, bytes, route)] });
    if (route.isFinal) this.#streamEnds.settle(session, now);
    this.#endings.endIfSpent(session, signer, now);
    this.#endings.finishIfComplete(session, now);
  }
}

/** What an agent does with a session in which a gateway takes part for it. */
const OF_AGENTS: ReadonlySet<string> = new Set(["QUERY", "TERMINATE", "DISCONNECT"]);
