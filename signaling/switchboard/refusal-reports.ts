import type { Desk } from "./desk.ts";
import type { SwitchboardInput } from "./io.ts";
import type { RefusalReport, Session } from "./session.ts";
import type { SessionTable } from "./session-table.ts";

/**
 * Tells both ends of a stream, through their inboxes, which frames the relay refused, or found contradicted by checkpoints: at most ten reports a second and
 * session; what comes faster is added up by flow and reason until the next one.
 */
export class RefusalReports {
  readonly #desk: Desk;
  readonly #table: SessionTable;

  constructor(desk: Desk, table: SessionTable) {
    this.#desk = desk;
    this.#table = table;
  }

  add(refused: Extract<SwitchboardInput, { kind: "refused" }>, now: number): void {
    const found = this.#table.mediaFlow(refused.connection, refused.flow);
    // After the end the relay refuses everything: no news.
    if (found === undefined || found.session.ending !== undefined) return;
    const { session, flow } = found;
    // What was under way when the session was suspended or detached: both ends know why.
    const stands = session.state === "suspended" || session.state === "detached";
    if (stands && refused.reason === "session-state") return;
    const key = `${refused.flow}@${refused.connection} ${refused.reason}`;
    const { first, last, reason, count } = refused;
    const pending = session.reports.get(key);
    if (pending === undefined) session.reports.set(key, { flow, reason, first, last, count });
    else {
      pending.count += count;
      pending.first = extreme(Math.min, pending.first, first);
      pending.last = extreme(Math.max, pending.last, last);
    }
    this.flush(session, now);
  }

  /** Sends what the allowance lets go, and says when the rest may. */
  flush(session: Session, now: number): void {
    for (const [key, report] of session.reports) {
      if (!session.reportAllowance.take(now)) {
        this.#desk.timers.set("reports", session.id, session.reportAllowance.nextAt(now));
        return;
      }
      session.reports.delete(key);
      this.#post(session, report, now);
    }
  }

  #post(session: Session, report: RefusalReport, now: number): void {
    const { flow, reason, count, first, last } = report;
    const cap = session.legs[flow.speaker].scope.limits["bitrate-bps"];
    const limit = reason === "limit" && cap !== undefined ? { limit: "bitrate-bps", cap } : {};
    const isContradicted = reason === "contradicted";
    const why = isContradicted ? {} : { reason };
    const range = { ...(first === undefined ? {} : { first }), ...(last === undefined ? {} : { last }) };
    for (const leg of session.legs) {
      const flowId = leg.leg === flow.speaker ? flow.ingress.frames : flow.egress.frames;
      this.#desk.inboxes.post(
        leg.agent.agentId,
        {
          event: isContradicted ? "frames_contradicted" : "frames_refused",
          sessionId: session.id,
          fields: { flow: flowId, leg: flow.speaker, stream: flow.stream, ...why, count, ...range, ...limit },
        },
        now,
      );
    }
  }
}

function extreme(
  choose: (a: number, b: number) => number,
  a: number | undefined,
  b: number | undefined,
): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return choose(a, b);
}
