import { canonicalBytes } from "../../codecs/canonical-json.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { ConnectionId, FlowCounters } from "../admission.ts";
import { isFinal, type SessionTrigger, step } from "../session-machine.ts";
import { refuseAsked } from "./asked-changes.ts";
import type { Desk } from "./desk.ts";
import type { ExchangeId } from "./io.ts";
import { nextJudgement } from "./judgements.ts";
import type { LastWords } from "./last-words.ts";
import type { Exchange } from "./replies.ts";
import { artifact, durationCap, type Ending, type Session, type SessionLeg } from "./session.ts";
import { countersJson, sessionResult } from "./session-results.ts";
import type { SessionTable } from "./session-table.ts";

/** How long after its end a session waits for closing statements and last checkpoints and receipts, milliseconds. */
export const CLOSING_WINDOW = 5_000;
/** Inactivity that ends a session, and how often the relay is asked whether media flowed, milliseconds. */
export const IDLE_LIMIT = 60_000;
const IDLE_CHECK = 15_000;
/** Code and reason of `sfu/carrier`, which this room cannot see. */
const CLOSE_NORMAL = 0;
const SESSION_OVER = "session-over";
/** Why a session ends whose end leaves more statements than are kept. */
const STATEMENTS_EXCEEDED = "statements-exceeded";
/** How long counters are waited for, milliseconds; without them the session goes on as if nothing had changed. */
export const COUNTERS_WAIT = 1_000;
/** Requests that may wait for one session's counters; beyond: 429 `rate-limited`. */
const MAX_WAITING_QUERIES = 8;

/** Ends sessions: on request, by time, by silence, with their connections; then writes what remains. */
export class Endings {
  readonly #desk: Desk;
  readonly #table: SessionTable;
  readonly #lastWords: LastWords;

  constructor(desk: Desk, table: SessionTable, lastWords: LastWords) {
    this.#desk = desk;
    this.#table = table;
    this.#lastWords = lastWords;
  }

  /** Starts the clocks of a session just established. */
  watch(session: Session, now: number): void {
    this.#desk.timers.set("ttl", session.id, session.expiresAt);
    this.#desk.timers.set("idle", session.id, now + IDLE_CHECK);
    this.#desk.timers.set("authority", session.id, nextJudgement(session, now));
  }

  /** A scope that was narrowed may cap how long the session lasts: it then ends sooner than it would have. */
  shorten(session: Session): void {
    const cap = durationCap(session);
    const end = session.establishedAt + (cap ?? Number.POSITIVE_INFINITY) * 1000;
    if (end >= session.expiresAt || isFinal(session.state)) return;
    session.expiresAt = end;
    this.#desk.timers.set("ttl", session.id, end);
  }

  /** The session has lasted as long as was agreed, or as a scope allows. */
  lifetimeOver(session: Session, now: number): void {
    const cap = durationCap(session);
    const isCapped = cap !== undefined && session.establishedAt + cap * 1000 <= session.expiresAt;
    this.end(session, "ttl-elapsed", "server", now, isCapped ? "duration-limit" : undefined);
  }

  /**
   * Takes the session to its end: media stops, whoever did not ask for it is told, and the closing window opens. `by` is
   * an Agent-ID or `server`; `reason` says more than the transition alone. Fault: the session machine's.
   */
  end(session: Session, trigger: SessionTrigger, by: string, now: number, reason?: string): Result<void> {
    const transition = step(session.state, trigger);
    if (!transition.ok) return transition;
    const ending: Ending = { reason: reason ?? transition.value.reason ?? trigger, by, at: now };
    session.state = transition.value.to;
    session.ending = ending;
    this.#desk.states.keep(session);
    const { outputs, timers, inboxes } = this.#desk;
    outputs.push({
      kind: "admission",
      message: { kind: "state", sessionId: session.id, state: "ended" },
    });
    timers.clear("ttl", session.id);
    timers.clear("idle", session.id);
    timers.clear("authority", session.id);
    timers.clear("reports", session.id);
    timers.clear("resume-by", session.id);
    timers.clear("attach-caller", session.id);
    timers.clear("attach-callee", session.id);
    const { fault } = refuse("session-terminated", "The session has ended.", "path", {
      reason: ending.reason,
    });
    for (const { leg } of session.legs) refuseAsked(this.#desk, session, leg, fault, now);
    for (const leg of session.legs) {
      inboxes.withdraw(leg.agent.agentId, session.id, ["frames_refused", "frames_contradicted"]);
      const event = {
        event: "session-ended",
        sessionId: session.id,
        fields: { reason: ending.reason, by, last_audit_id: session.link.lastAuditId },
      };
      const { agentId } = leg.agent;
      if (agentId !== by) inboxes.post(agentId, event, now, session.link);
      else inboxes.postBeside(by, inboxes.nameFor(by, leg.connection), event, now, session.link);
    }
    outputs.log("info", "session-ended", { ...namesOf(session), reason: ending.reason, by });
    this.awaitLastWords(session, now);
    return ok(undefined);
  }

  /** A statement that is refused breaks its chain, and the evidence with it: the session ends while an end has room for the last ones. */
  endIfSpent(session: Session, { statementRoom }: SessionLeg, now: number): void {
    if (statementRoom.isSpent(now) && !isFinal(session.state))
      this.end(session, "terminate", "server", now, STATEMENTS_EXCEEDED);
  }

  /** A session that has ended has its closing window from now on. */
  awaitLastWords(session: Session, now: number): void {
    this.#desk.timers.set("closing", session.id, now + CLOSING_WINDOW);
  }

  /** Answers the ends that have said everything, and writes the final record once nothing is owed. */
  finishIfComplete(session: Session, now: number): void {
    if (!isFinal(session.state) || session.awaitingCounters.final) return;
    this.#lastWords.release(session, now);
    if (!this.#lastWords.areOwed(session)) this.closingWindowOver(session, now);
  }

  closingWindowOver(session: Session, now: number): void {
    this.#desk.timers.clear("closing", session.id);
    session.awaitingCounters.final = true;
    this.#lastWords.release(session, now);
    this.wantCounters(session, now);
  }

  /** The connection is gone: nobody waits there for an answer. */
  dropWaiting(session: Session, connection: ConnectionId): void {
    this.#lastWords.drop(session, connection);
  }

  /** The client gave one exchange up. */
  exchangeLost(connection: ConnectionId, exchange: ExchangeId): void {
    for (const session of this.#table.on(connection)) this.#lastWords.drop(session, connection, exchange);
  }

  /** The wall clock was set: inactivity is counted on as if it had not been. */
  clockStepped(by: number): void {
    for (const session of this.#table.all()) session.lastActivity += by;
  }

  /** Nothing is expected of the ends of a suspended session, nor of those of a detached one beyond coming back. */
  pauseIdle(session: Session): void {
    this.#desk.timers.clear("idle", session.id);
  }

  /** Something is again, from now on. */
  resumeIdle(session: Session, now: number): void {
    session.lastActivity = now;
    this.#desk.timers.set("idle", session.id, now + IDLE_CHECK);
  }

  /** Asks the relay whether media flowed, and ends the session when it did not for too long. */
  idleCheck(session: Session, now: number): void {
    session.awaitingCounters.idle = true;
    this.wantCounters(session, now);
  }

  /** Answers a QUERY once the relay has told its counters. */
  queryCounters(session: Session, exchange: Exchange, now: number): Result<void> {
    if (session.awaitingCounters.queries.length >= MAX_WAITING_QUERIES) {
      return refuse("rate-limited", "Too many questions about this session wait already.");
    }
    session.awaitingCounters.queries.push(exchange);
    this.wantCounters(session, now);
    return ok(undefined);
  }

  /** Asks the relay for the session's counters. */
  wantCounters(session: Session, now: number): void {
    this.#desk.outputs.push({ kind: "counters-wanted", sessionId: session.id });
    this.#desk.timers.set("counters", session.id, now + COUNTERS_WAIT);
  }

  /** The relay's counters arrived; `undefined` when they were waited for in vain. */
  counters(session: Session, counters: readonly FlowCounters[] | undefined, now: number): void {
    this.#desk.timers.clear("counters", session.id);
    // What was counted of streams that are over stands beside it already.
    session.counters = (counters ?? session.counters).filter(({ leg, stream }) =>
      session.flows.some((flow) => flow.speaker === leg && flow.stream === stream),
    );
    const { awaitingCounters } = session;
    for (const exchange of awaitingCounters.queries.splice(0)) {
      if (this.#desk.connections.get(exchange.connection) === undefined) continue;
      this.#desk.replies.answer(
        exchange,
        { result: sessionResult(session), sessionId: session.id, link: session.link },
        now,
      );
    }
    if (awaitingCounters.idle) this.#judgeIdle(session, now);
    awaitingCounters.idle = false;
    if (awaitingCounters.final) this.#seal(session, now);
  }

  #judgeIdle(session: Session, now: number): void {
    if (session.state !== "active") return;
    const frames = session.counters.reduce((sum, flow) => sum + flow.admitted, 0);
    // Fewer, where a stream is over: what was counted of it is gone.
    if (frames !== session.admittedFrames) session.lastActivity = now;
    session.admittedFrames = frames;
    if (now - session.lastActivity >= IDLE_LIMIT) this.end(session, "inactivity", "server", now);
    else
      this.#desk.timers.set(
        "idle",
        session.id,
        Math.min(now + IDLE_CHECK, session.lastActivity + IDLE_LIMIT),
      );
  }

  /** The last word: counters as the relay claims them, then the record that names the reason. */
  #seal(session: Session, now: number): void {
    const { ending } = session;
    if (ending === undefined) return;
    const { outputs, replies, timers } = this.#desk;
    const counters = [...session.pastCounters, ...session.counters.map(countersJson)];
    const entry = artifact(session, "counters", undefined, canonicalBytes(counters));
    const { statementsDropped } = session;
    const participants = session.legs.map(({ agent }) => agent.agentId);
    const lost = Object.keys(statementsDropped).length > 0 ? { statements_dropped: statementsDropped } : {};
    const attacks = session.noncesRefused > 0 ? { resume_nonces_refused: session.noncesRefused } : {};
    replies.close(
      session.state === "expired" ? "session-expired" : "session-terminated",
      {
        participants,
        reason: ending.reason,
        by: ending.by,
        counters,
        artifacts: session.artifacts,
        ...lost,
        ...attacks,
      },
      session.link,
      [entry],
      now,
    );
    outputs.push({ kind: "admission", message: { kind: "remove", sessionId: session.id } });
    for (const { to, isFinal } of this.#table.routesOf(session)) {
      if (!isFinal) outputs.push({ kind: "finish", ...to });
    }
    for (const kind of ["ttl", "idle", "closing", "counters", "reports", "streams"] as const)
      timers.clear(kind, session.id);
    for (const leg of session.legs) {
      // A connection for one session's media has no other use.
      if (!leg.overTls || !leg.attached || leg.connection === undefined) continue;
      outputs.push({ kind: "close", connection: leg.connection, code: CLOSE_NORMAL, reason: SESSION_OVER });
    }
    this.#table.retire(session, ending, now);
    outputs.log("info", "session-closed", { ...namesOf(session), reason: ending.reason });
  }
}

/** Which call, and whose, for the log. */
function namesOf({ id, legs: [caller, callee] }: Session) {
  return { sessionId: id, caller: caller.agent.agentId, callee: callee.agent.agentId };
}
