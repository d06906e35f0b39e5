import type { FlowCounters } from "../admission.ts";
import type { Desk } from "./desk.ts";
import type { Endings } from "./endings.ts";
import { lastLetThrough, type MediaFlow } from "./flows.ts";
import type { LegNumber, Session } from "./session.ts";
import { countersJson } from "./session-results.ts";
import type { SessionTable } from "./session-table.ts";
import type { StatementRoute } from "./statements.ts";

/** How long a stream that was closed waits for its last frames, checkpoints and receipts, milliseconds. */
export const STREAM_CLOSING_WINDOW = 5_000;
/** Directions of closed streams that may wait for their last words at once; the longest closed ones go. */
const MOST_CLOSING = 64;
/** Flows of closed streams whose counters are kept for the session's last record; the oldest go. */
const PAST_FLOWS = 64;

/**
 * Streams that are over before their session: closed by one end, they stay for what their speaker had said and for what both ends still sign
 * about them, and are gone from the relay then. A record says how far that one had got.
 */
export class StreamEnds {
  readonly #desk: Desk;
  readonly #table: SessionTable;
  readonly #endings: Endings;

  constructor(desk: Desk, table: SessionTable, endings: Endings) {
    this.#desk = desk;
    this.#table = table;
    this.#endings = endings;
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
    if (closed.length > 0) this.#bound(session, now);
    return closed;
  }

  /** The listener of a stream wants nothing of it for now, or wants it again. */
  hold(session: Session, flow: MediaFlow, isHeld: boolean): void {
    flow.isHeld = isHeld;
    const { speaker: leg, stream } = flow;
    const message = { kind: "hold", sessionId: session.id, leg, stream, isHeld } as const;
    this.#desk.outputs.push({ kind: "admission", message });
  }

  /** The relay has told how far it had got, or did not (`undefined`): records it of streams that it has no more. */
  counted(session: Session, counters: readonly FlowCounters[] | undefined, now: number): void {
    const closed = session.awaitingCounters.closed.splice(0);
    if (closed.length === 0) return;
    const known = counters ?? session.counters;
    for (const { speaker, stream } of closed) {
      const counted = known.find((each) => each.leg === speaker && each.stream === stream);
      if (counted !== undefined) session.pastCounters.push(countersJson(counted));
    }
    session.pastCounters.splice(0, session.pastCounters.length - PAST_FLOWS);
    const told = counters === undefined ? [] : lastLetThrough(session, closed, counters);
    const streams = closed.map(
      ({ speaker: leg, stream }) =>
        told.find((each) => each.leg === leg && each.stream === stream) ?? { leg, stream },
    );
    const { states, replies } = this.#desk;
    states.keep(session);
    replies.note("stream-closed", { streams }, session.link, [], now);
  }

  /** An end that is back has as long for its last statements as if its streams were closed now. */
  cameBack(session: Session, now: number): void {
    for (const flow of session.flows) if (flow.closedAt !== undefined) flow.closedAt = now;
    this.#await(session, now);
  }

  /** Starts the clock of closed streams in a session of an earlier process. */
  watch(session: Session, now: number): void {
    this.#await(session, now);
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

  #bound(session: Session, now: number): void {
    const closing = session.flows.filter(({ closedAt }) => closedAt !== undefined);
    const eldest = closing.toSorted((a, b) => (a.closedAt ?? 0) - (b.closedAt ?? 0));
    const excess = eldest.slice(0, Math.max(0, eldest.length - MOST_CLOSING));
    if (excess.length > 0) this.#lift(session, excess, now);
    this.#await(session, now);
  }

  #lift(session: Session, over: readonly MediaFlow[], now: number): void {
    const { outputs } = this.#desk;
    // The relay counts before it forgets.
    session.awaitingCounters.closed.push(...over);
    this.#endings.wantCounters(session, now);
    for (const flow of over) {
      const { speaker: leg, stream } = flow;
      outputs.push({ kind: "admission", message: { kind: "lift", sessionId: session.id, leg, stream } });
      for (const { to, isFinal } of this.#table.lift(session, flow, now))
        if (!isFinal) outputs.push({ kind: "finish", ...to });
    }
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
