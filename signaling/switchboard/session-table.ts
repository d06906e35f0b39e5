import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { ConnectionId } from "../admission.ts";
import { type SessionState, step } from "../session-machine.ts";
import { FadingMap } from "./fading-map.ts";
import { type FlowHolder, type FlowSet, type MediaFlow, statementRoutes } from "./flows.ts";
import { Loads, loadOfSession } from "./load.ts";
import { type Ending, legOf, type Session, type SessionLeg, takeChange } from "./session.ts";
import type { StatementRoute } from "./statements.ts";

/** How long an ended session is remembered, milliseconds, and how many; beyond, its id is as unknown as any. */
const REMEMBER_MS = 3_600_000;
const REMEMBER_SESSIONS = 16_384;

/** What is remembered of a session whose final record is written. */
export interface PastSession {
  readonly id: string;
  readonly state: SessionState;
  readonly ending: Ending;
  /** Agent-IDs by leg. */
  readonly participants: readonly string[];
}

/** A session seen by one of its participants. */
interface Participation {
  readonly session: Session;
  readonly leg: SessionLeg;
}

/** The sessions that have no final record yet, found by id, agent, connection and flow. */
export class SessionTable {
  /** At most `limits.sessions`. */
  readonly #byId = new Map<string, Session>();
  readonly #byAgent = new Map<string, Set<Session>>();
  readonly #byConnection = new Map<ConnectionId, Set<Session>>();
  /** By `connection/flow`. */
  readonly #routes = new Map<string, StatementRoute>();
  /** Of each end, where its statements came in on the connection that its media left last: what was on the way there still counts. */
  readonly #left = new Map<SessionLeg, readonly string[]>();
  readonly #flows = new Map<string, { readonly session: Session; readonly flow: MediaFlow }>();
  /** What live sessions and ringing offers ask of the server. */
  readonly loads = new Loads();
  #nextPlace = -1;
  readonly #past = new FadingMap<string, PastSession>(REMEMBER_SESSIONS, REMEMBER_MS);

  get size(): number {
    return this.#byId.size;
  }

  get(id: string): Session | undefined {
    return this.#byId.get(id);
  }

  past(id: string, now: number): PastSession | undefined {
    return this.#past.get(id, now);
  }

  /** Remembers a session that an earlier process had, and that is over by now. */
  remember(past: PastSession, now: number): void {
    this.#past.set(past.id, past, now);
  }

  all(): Session[] {
    return [...this.#byId.values()];
  }

  /** How much is kept, by table: what a leak test compares. @internal */
  sizes() {
    const [agents, connections] = [this.#byAgent.size, this.#byConnection.size];
    const past = this.#past.size;
    return { live: this.size, agents, connections, routes: this.#routes.size, flows: this.#flows.size, past };
  }

  /** Sessions an agent takes part in. */
  countOf(agentId: string): number {
    return this.#byAgent.get(agentId)?.size ?? 0;
  }

  /** The same, themselves. */
  of(agentId: string): Session[] {
    return [...(this.#byAgent.get(agentId) ?? [])];
  }

  /** Sessions with a leg on that connection. */
  on(connection: ConnectionId): Session[] {
    return [...(this.#byConnection.get(connection) ?? [])];
  }

  /** Where a checkpoint or receipt that came in on this flow belongs. */
  route(connection: ConnectionId, flow: number): StatementRoute | undefined {
    return this.#routes.get(`${connection}/${flow}`);
  }

  /** All statement routes of a session. */
  routesOf(session: Session): StatementRoute[] {
    return session.flows.flatMap((flow) =>
      [
        this.route(flow.ingress.connection, flow.ingress.checkpoints),
        this.route(flow.egress.connection, flow.egress.receipts),
      ].filter((route) => route !== undefined),
    );
  }

  /** The media flow that comes in on this flow identifier. */
  mediaFlow(
    connection: ConnectionId,
    flow: number,
  ): { readonly session: Session; readonly flow: MediaFlow } | undefined {
    return this.#flows.get(`${connection}/${flow}`);
  }

  /** The session for one of its participants, who is heard of by asking. Faults: `session-not-found`, `session-terminated`, `session-identity-mismatch`. */
  participation(id: string, agentId: string, now: number): Result<Participation> {
    const session = this.#byId.get(id);
    if (session === undefined) {
      const past = this.#past.get(id, now);
      if (past === undefined) return refuse("session-not-found", "There is no such session.", "path");
      if (!past.participants.includes(agentId)) return notYours();
      return refuse("session-terminated", "The session has ended.", "path", {
        state: past.state,
        reason: past.ending.reason,
      });
    }
    const leg = legOf(session, agentId);
    if (leg === undefined) return notYours();
    leg.heardAt = now;
    return ok({ session, leg });
  }

  /**
   * A session that an end steers now: it takes part, the session takes control messages, and the end has asked for no more changes than it
   * may. Faults as {@link participation}, of the session machine, and `rate-limited`.
   */
  steered(id: string, agentId: string, now: number): Result<Participation> {
    const found = this.participation(id, agentId, now);
    if (!found.ok) return found;
    const { session, leg } = found.value;
    const taken = step(session.state, "control");
    if (!taken.ok) return taken;
    const change = takeChange(leg, now);
    if (!change.ok) return change;
    session.lastActivity = Math.max(session.lastActivity, now);
    return found;
  }

  add(session: Session, now: number): void {
    this.#byId.set(session.id, session);
    this.loads.set(session.id, loadOfSession(session));
    for (const leg of session.legs) {
      addTo(this.#byAgent, leg.agent.agentId, session);
      if (leg.connection !== undefined) addTo(this.#byConnection, leg.connection, session);
    }
    for (const flow of session.flows) this.#place(session, flow, statementRoutes(session, flow, now));
  }

  /** Takes in flows of streams that were opened in a session that is here. */
  lay(session: Session, flows: readonly MediaFlow[], now: number): void {
    session.flows = [...session.flows, ...flows];
    for (const flow of flows) this.#place(session, flow, statementRoutes(session, flow, now));
    this.#resized(session, now);
  }

  /** Takes a flow out before its session is over; returns the routes of the statements about it. */
  lift(session: Session, flow: MediaFlow, now: number): StatementRoute[] {
    const { ingress, egress } = flow;
    const routes = [
      this.route(ingress.connection, ingress.checkpoints),
      this.route(egress.connection, egress.receipts),
    ].filter((route) => route !== undefined);
    this.#unplace(flow);
    for (const leg of session.legs)
      for (const place of this.#left.get(leg) ?? []) {
        const route = this.#routes.get(place);
        if (route !== undefined && routes.includes(route)) this.#routes.delete(place);
      }
    session.flows = session.flows.filter((each) => each !== flow);
    for (const known of [session.epochs, session.leastSequences, session.unsettled]) known.delete(flow);
    this.#resized(session, now);
    return routes;
  }

  /** A place for flows of an end that has no connection: one that there is not, below zero and never given twice. */
  nowhere(): FlowHolder {
    return { id: this.#nextPlace--, nextFlow: 2 };
  }

  /** Takes a session out after its final record. */
  retire(session: Session, ending: Ending, now: number): void {
    this.#byId.delete(session.id);
    this.loads.delete(session.id);
    for (const leg of session.legs) {
      removeFrom(this.#byAgent, leg.agent.agentId, session);
      if (leg.connection !== undefined) removeFrom(this.#byConnection, leg.connection, session);
    }
    for (const flow of session.flows) this.#unplace(flow);
    for (const leg of session.legs) this.#forgetLeft(leg);
    const participants = session.legs.map((leg) => leg.agent.agentId);
    this.#past.set(session.id, { id: session.id, state: session.state, ending, participants }, now);
  }

  /** Notes that a leg's connection is gone. */
  detach(session: Session, leg: SessionLeg, now: number): void {
    if (leg.attached) leg.detachedAt = now;
    leg.attached = false;
    this.#leave(session, leg);
  }

  /** Moves a leg's flows to another connection; `sets` are in the order of the session's flows. Statements go on where they stood. */
  attach(session: Session, leg: SessionLeg, connection: ConnectionId, sets: readonly FlowSet[]): void {
    this.#forgetLeft(leg);
    const left: string[] = [];
    for (const [index, flow] of session.flows.entries()) {
      const fresh = sets[index];
      if (fresh === undefined) throw new RangeError("a flow without a place to move to");
      const speaks = flow.speaker === leg.leg;
      const { ingress, egress } = flow;
      const [checkpoints, receipts] = [
        this.route(ingress.connection, ingress.checkpoints),
        this.route(egress.connection, egress.receipts),
      ];
      this.#unplace(flow);
      const own = speaks ? checkpoints : receipts;
      if (own !== undefined) {
        own.hasMoved = true;
        const place = nameOf(own.from);
        this.#routes.set(place, own);
        left.push(place);
      }
      if (speaks) flow.ingress = fresh;
      else flow.egress = fresh;
      this.#place(session, flow, [checkpoints, receipts]);
    }
    this.#left.set(leg, left);
    this.#leave(session, leg);
    leg.connection = connection;
    leg.attached = true;
    leg.detachedAt = undefined;
    addTo(this.#byConnection, connection, session);
  }

  #resized(session: Session, now: number): void {
    this.loads.set(session.id, loadOfSession(session));
    const streams = new Set(session.flows.map(({ stream }) => stream)).size;
    for (const leg of session.legs) leg.statementRoom.useStreams(streams, now);
  }

  /** Finds the flow and its statements by the flows they come in on, and lets them go on where the flow leads now. */
  #place(session: Session, flow: MediaFlow, routes: readonly (StatementRoute | undefined)[]): void {
    const { ingress, egress } = flow;
    this.#flows.set(`${ingress.connection}/${ingress.frames}`, { session, flow });
    for (const route of routes) {
      if (route === undefined) continue;
      const at = (set: FlowSet) => ({
        connection: set.connection,
        flow: route.kind === "checkpoint" ? set.checkpoints : set.receipts,
      });
      route.from = at(route.kind === "checkpoint" ? ingress : egress);
      route.to = at(route.kind === "checkpoint" ? egress : ingress);
      this.#routes.set(nameOf(route.from), route);
    }
  }

  #forgetLeft(leg: SessionLeg): void {
    for (const place of this.#left.get(leg) ?? []) this.#routes.delete(place);
    this.#left.delete(leg);
  }

  #unplace({ ingress, egress }: MediaFlow): void {
    this.#flows.delete(`${ingress.connection}/${ingress.frames}`);
    this.#routes.delete(`${ingress.connection}/${ingress.checkpoints}`);
    this.#routes.delete(`${egress.connection}/${egress.receipts}`);
  }

  #leave(session: Session, leg: SessionLeg): void {
    const { connection } = leg;
    if (connection === undefined) return;
    leg.connection = undefined;
    const isOther = session.legs.some((each) => each.connection === connection);
    if (!isOther) removeFrom(this.#byConnection, connection, session);
  }
}

function nameOf({ connection, flow }: StatementRoute["from"]): string {
  return `${connection}/${flow}`;
}

function notYours(): Result<never> {
  return refuse("session-identity-mismatch", "You take no part in this session.", "path");
}

function addTo<K>(index: Map<K, Set<Session>>, key: K, session: Session): void {
  const sessions = index.get(key);
  if (sessions === undefined) index.set(key, new Set([session]));
  else sessions.add(session);
}

function removeFrom<K>(index: Map<K, Set<Session>>, key: K, session: Session): void {
  const sessions = index.get(key);
  sessions?.delete(session);
  if (sessions?.size === 0) index.delete(key);
}
