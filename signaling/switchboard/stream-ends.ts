import type { Desk } from "./desk.ts";
import type { MediaFlow } from "./flows.ts";
import type { LegNumber, Session } from "./session.ts";
import { countersJson } from "./session-results.ts";
import type { SessionTable } from "./session-table.ts";
import type { StatementRoute } from "./statements.ts";

/** How long a stream that was closed waits for its last frames, checkpoints and receipts, milliseconds. */
export const STREAM_CLOSING_WINDOW = 5_000;
/** Flows of closed streams whose counters are kept for the session's last record; the oldest go. */
const PAST_FLOWS = 64;

/**
 * Streams that are over before their session: closed by one end, they stay for what their speaker had said and for what both ends still sign
 * about them, and are gone from the relay then.
 */
export class StreamEnds {
  readonly #desk: Desk;
  readonly #table: SessionTable;

  constructor(desk: Desk, table: SessionTable) {
    this.#desk = desk;
    this.#table = table;
  }

  /**
   * The terms in force name some streams no more, since `closer` wants none of them: nothing is forwarded to it from here on. Returns the
   * directions that are over.
   */
  begin(session: Session, closer: LegNumber, now: number): readonly MediaFlow[] {
    const closed = session.flows.filter(
      ({ stream, closedAt }) =>
        closedAt === undefined && !session.terms.streams.some((open) => open.stream === stream),
    );
    for (const flow of closed) {
      flow.closedAt = now;
      if (flow.listener === closer) this.hold(session, flow, true);
    }
    if (closed.length > 0) this.#await(session, now);
    return closed;
  }

  /** The listener of a stream wants nothing of it for now, or wants it again. */
  hold(session: Session, flow: MediaFlow, isHeld: boolean): void {
    flow.isHeld = isHeld;
    const { speaker: leg, stream } = flow;
    const message = { kind: "hold", sessionId: session.id, leg, stream, isHeld } as const;
    this.#desk.outputs.push({ kind: "admission", message });
  }

  /** A last statement came, or time has passed. */
  settle(session: Session, now: number): void {
    const closing = session.flows.filter(({ closedAt }) => closedAt !== undefined);
    if (closing.length === 0 || session.ending !== undefined) return;
    const routes = this.#table.routesOf(session);
    const over = closing.filter((flow) => {
      const owed = routes.filter((route) => isAbout(route, flow) && !route.isFinal && !route.isBroken);
      return (
        owed.length === 0 || (isOverdue(flow, now) && owed.every(({ signer }) => isHere(session, signer)))
      );
    });
    if (over.length > 0) this.#lift(session, over, now);
    this.#await(session, now);
  }

  #lift(session: Session, over: readonly MediaFlow[], now: number): void {
    const { outputs, states } = this.#desk;
    for (const flow of over) {
      const { speaker: leg, stream } = flow;
      const counted = session.counters.find((each) => each.leg === leg && each.stream === stream);
      if (counted !== undefined) session.pastCounters.push(countersJson(counted));
      outputs.push({ kind: "admission", message: { kind: "lift", sessionId: session.id, leg, stream } });
      for (const { to, isFinal } of this.#table.lift(session, flow, now))
        if (!isFinal) outputs.push({ kind: "finish", ...to });
    }
    session.pastCounters.splice(0, session.pastCounters.length - PAST_FLOWS);
    states.keep(session);
  }

  /** The wall clock was set: waits are counted on as if it had not been. */
  clockStepped(by: number): void {
    for (const { flows } of this.#table.all())
      for (const flow of flows) if (flow.closedAt !== undefined) flow.closedAt += by;
  }

  #await(session: Session, now: number): void {
    const { timers } = this.#desk;
    const due = session.flows.flatMap(({ closedAt }) =>
      closedAt === undefined ? [] : closedAt + STREAM_CLOSING_WINDOW,
    );
    if (due.length === 0) timers.clear("streams", session.id);
    // Who is away when it is due is looked for again a while later.
    else
      timers.set(
        "streams",
        session.id,
        Math.min(...due.map((at) => (at > now ? at : now + STREAM_CLOSING_WINDOW))),
      );
  }
}

function isAbout(route: StatementRoute, { speaker, stream }: MediaFlow): boolean {
  return route.speaker === speaker && route.stream === stream;
}

function isOverdue({ closedAt = 0 }: MediaFlow, now: number): boolean {
  return now >= closedAt + STREAM_CLOSING_WINDOW;
}

/** An end that is away states the rest once it is back. */
function isHere({ legs }: Session, leg: LegNumber): boolean {
  return legs[leg].attached;
}
