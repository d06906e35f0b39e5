import type { JsonObject } from "../../codecs/canonical-json.ts";
import type { ConnectionId } from "../admission.ts";
import { isFinal, step } from "../session-machine.ts";
import type { Desk } from "./desk.ts";
import { type Endings, IDLE_LIMIT } from "./endings.ts";
import { admissionRow } from "./flows.ts";
import type { LeftFlow } from "./restoring.ts";
import { hasHadMedia, type LegNumber, peerOf, type Session, type SessionLeg } from "./session.ts";
import type { ReceivedStream } from "./session-parameters.ts";
import type { SessionTable } from "./session-table.ts";
import type { StreamEnds } from "./stream-ends.ts";

/** How long an end of a bounded session has to come back when its connection is lost, milliseconds. */
export const ATTACH_GRACE = 10_000;

/** What the other end is told of an end that goes and comes back; only the latest is news. */
export const PRESENCE_EVENTS = ["peer-detached", "peer-attached"] as const;

/** How a connection went. */
export interface Departure {
  /** The client closed it. */
  readonly orderly: boolean;
  /** The server closed it. */
  readonly expelled?: boolean;
}

/** Ends without a connection for media: how long they are waited for, what stands still meanwhile, and what follows when they do not come. */
export class Detaching {
  readonly #desk: Desk;
  readonly #table: SessionTable;
  readonly #endings: Endings;
  readonly #streamEnds: StreamEnds;

  constructor(desk: Desk, table: SessionTable, endings: Endings, streamEnds: StreamEnds) {
    this.#desk = desk;
    this.#table = table;
    this.#endings = endings;
    this.#streamEnds = streamEnds;
  }

  /** Starts the clocks of ends that have no media yet. */
  watch(session: Session): void {
    for (const leg of session.legs) this.#await(session, leg);
  }

  /**
   * Takes in a session of an earlier process, made by `restoreSession`: both ends have as long to come back as if they were lost now, those of one
   * that had ended to say their last words.
   */
  restore(session: Session, flows: readonly LeftFlow[], reason: string, now: number): void {
    this.#table.add(session, now);
    for (const route of this.#table.routesOf(session)) {
      const left = flows.find(({ speaker, stream }) => speaker === route.speaker && stream === route.stream);
      const { nextIndex, previous, isFinal } = left?.[`${route.kind}s`] ?? route;
      Object.assign(route, { nextIndex, previous, isFinal, hasMoved: true });
    }
    if (session.ending !== undefined) {
      this.#endings.awaitLastWords(session, now);
      return;
    }
    this.#endings.watch(session, now);
    this.#endings.pauseIdle(session);
    this.#streamEnds.watch(session, now);
    const { resumeBy = session.expiresAt } = session.suspension ?? {};
    if (session.state === "suspended" && resumeBy < session.expiresAt) {
      this.#desk.timers.set("resume-by", session.id, resumeBy);
    }
    for (const leg of session.legs) {
      this.#await(session, leg);
      if (hasHadMedia(leg)) this.#tell(session, leg, this.#absence(session, leg), reason, now);
    }
  }

  /** A connection is gone, and with it the media of the ends that had theirs there. */
  connectionLost(connection: ConnectionId, how: Departure, now: number): void {
    for (const session of this.#table.on(connection)) {
      this.#endings.dropWaiting(session, connection);
      for (const leg of session.legs) {
        if (leg.connection !== connection) continue;
        const hadMedia = leg.attached;
        this.#table.detach(session, leg, now);
        if (hadMedia) this.#mediaLost(session, leg, how, now);
      }
      this.#endings.finishIfComplete(session, now);
    }
  }

  /** The server stops, and its next start goes on with the session: its ends come back there. */
  leave(session: Session, now: number): void {
    for (const leg of session.legs) {
      if (!leg.attached) continue;
      this.#table.detach(session, leg, now);
      this.#missing(session, leg, "server-shutdown", now);
    }
  }

  /** An end has media again: T9, once both have. */
  cameBack(session: Session, leg: SessionLeg, now: number): void {
    this.#await(session, leg);
    this.#streamEnds.cameBack(session, now);
    session.lastActivity = Math.max(session.lastActivity, now);
    if (session.state !== "detached" || !session.legs.every(({ attached }) => attached)) return;
    const goesOn = step(session.state, "reattach");
    if (!goesOn.ok) return;
    session.state = goesOn.value.to;
    this.#endings.resumeIdle(session, now);
  }

  /** The session was suspended and goes on: who has no media has as long to come for it as if that were new. */
  goOn(session: Session, now: number): void {
    for (const leg of session.legs) {
      if (leg.attached) continue;
      leg.heardAt = now;
      if (leg.detachedAt === undefined) this.#await(session, leg);
      else {
        leg.detachedAt = now;
        this.#missing(session, leg, "suspended", now);
      }
    }
  }

  /** An end may have been without media for too long. */
  overdue(session: Session, number: LegNumber, now: number): void {
    const leg = session.legs[number];
    const isAwaited = session.state === "active" || session.state === "detached";
    if (leg.attached || !isAwaited) return;
    if (this.#deadlineOf(session, leg) > now) this.#await(session, leg);
    else if (session.model === "bounded") {
      this.#endings.end(session, "bounded-transport-lost", "server", now);
    } else if (leg.detachedAt !== undefined) {
      this.#endings.end(session, "detach-limit", "server", now);
    } else {
      leg.detachedAt = now;
      this.#missing(session, leg, "never-attached", now);
    }
    this.#endings.finishIfComplete(session, now);
  }

  /** The wall clock was set: waits are counted on as if it had not been. */
  clockStepped(by: number): void {
    for (const session of this.#table.all()) {
      for (const leg of session.legs) {
        leg.heardAt += by;
        if (leg.detachedAt !== undefined) leg.detachedAt += by;
      }
    }
  }

  /** The relay goes by where each flow leads now, and by which keys it is spoken. `received`: how far the end that `returned` has heard reliable ones. */
  moveMedia(session: Session, returned?: SessionLeg, received: readonly ReceivedStream[] = []): void {
    for (const flow of session.flows) {
      const epoch = session.epochs.get(flow) ?? 0;
      const lacks = flow.listener === returned?.leg && received.find(({ stream }) => stream === flow.stream);
      this.#desk.outputs.push({
        kind: "admission",
        message: {
          kind: "move",
          row: admissionRow(session, flow),
          epoch,
          ...(lacks ? { resend: lacks.next_sequence } : {}),
        },
      });
    }
  }

  #mediaLost(session: Session, leg: SessionLeg, { orderly, expelled }: Departure, now: number): void {
    if (isFinal(session.state)) return;
    // Who leaves on purpose, or is shown out, does not come back. Over TLS a connection is for one thing alone: closing it says little.
    const isForGood = expelled === true || (orderly && !leg.overTls);
    if (isForGood && session.model === "bounded" && session.state === "active") {
      this.#endings.end(session, "bounded-transport-lost", "server", now);
      return;
    }
    this.#missing(session, leg, orderly || isForGood ? "connection-closed" : "connection-lost", now);
  }

  /** T8 for a persistent session; a bounded one goes on without that end's media while it is waited for. */
  #missing(session: Session, leg: SessionLeg, reason: string, now: number): void {
    const { outputs, replies } = this.#desk;
    const detaches = session.model === "persistent" && session.state === "active";
    const lost = detaches ? step(session.state, "persistent-transport-lost") : undefined;
    if (lost?.ok) {
      session.state = lost.value.to;
      outputs.push({
        kind: "admission",
        message: { kind: "state", sessionId: session.id, state: "held" },
      });
      this.#endings.pauseIdle(session);
    }
    this.moveMedia(session);
    this.#await(session, leg);
    const facts = this.#absence(session, leg);
    const extra = { ...facts, attach_seq: leg.attachSeq, reason };
    replies.note("session-detached", extra, session.link, [], now);
    this.#tell(session, leg, facts, reason, now);
    outputs.log("info", "session-detached", {
      sessionId: session.id,
      agent: leg.agent.agentId,
      ...facts,
      reason,
    });
  }

  /** Who is away, and until when it is waited for. */
  #absence(session: Session, leg: SessionLeg) {
    const until =
      session.state === "suspended"
        ? (session.suspension?.resumeBy ?? session.expiresAt)
        : Math.min(this.#deadlineOf(session, leg), session.expiresAt);
    return { leg: leg.leg, state: session.state, until: Math.floor(until) };
  }

  #tell(session: Session, leg: SessionLeg, absence: JsonObject, reason: string, now: number): void {
    const { inboxes } = this.#desk;
    const other = peerOf(session, leg).agent.agentId;
    inboxes.withdraw(other, session.id, PRESENCE_EVENTS);
    const fields = { ...absence, reason };
    inboxes.post(other, { event: "peer-detached", sessionId: session.id, fields }, now, session.link);
  }

  #await(session: Session, leg: SessionLeg): void {
    const kind = leg.leg === 0 ? "attach-caller" : "attach-callee";
    const isAwaited = !leg.attached && session.state !== "suspended";
    if (isAwaited) this.#desk.timers.set(kind, session.id, this.#deadlineOf(session, leg));
    else this.#desk.timers.clear(kind, session.id);
  }

  /** Until when an end without media is waited for: one that never had any as long as it asks something now and then. */
  #deadlineOf({ model }: Session, { detachedAt, heardAt }: SessionLeg): number {
    if (detachedAt === undefined) return heardAt + IDLE_LIMIT;
    const limit = this.#desk.config.limits.detachedSeconds * 1000;
    return detachedAt + (model === "bounded" ? ATTACH_GRACE : limit);
  }
}
