import type { JsonObject } from "../../codecs/canonical-json.ts";
import { encodeHex } from "../../codecs/hex.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { ConnectionId } from "../admission.ts";
import { step } from "../session-machine.ts";
import type { Asked } from "./asked.ts";
import { type ConnectionState, isSeparate } from "./connections.ts";
import type { Desk } from "./desk.ts";
import { type Endings, IDLE_LIMIT } from "./endings.ts";
import { admissionRow, layAnew, streamParameters, streamParametersHeader } from "./flows.ts";
import { type LegNumber, type Session, type SessionLeg, takeChange } from "./session.ts";
import type { OpenParameters } from "./session-parameters.ts";
import type { SessionTable } from "./session-table.ts";
import type { StatementRoute } from "./statements.ts";

/** How long an end whose connection for media is lost has for another one, milliseconds. */
export const ATTACH_GRACE = 10_000;
/** Code of `sfu/carrier`, which this room cannot see. */
const CLOSE_REPLACED = 5;

/** Which connection carries an end's media: where requests and media share one, that of the request that established it. */
export class Attaching {
  readonly #desk: Desk;
  readonly #table: SessionTable;
  readonly #endings: Endings;

  constructor(desk: Desk, table: SessionTable, endings: Endings) {
    this.#desk = desk;
    this.#table = table;
    this.#endings = endings;
  }

  /** Starts the clocks of ends that have no media yet. */
  watch(session: Session): void {
    for (const leg of session.legs) this.#await(session, leg);
  }

  /** OPEN /sessions/{id}/media: this end's media flows on this connection from now on. */
  open(asked: Asked, sessionId: string, parameters: OpenParameters, now: number): Result<void> {
    const standing = this.#desk.registry.standing(asked.agent);
    if (!standing.ok) return standing;
    const found = this.#table.participation(sessionId, asked.agent.agentId, now);
    if (!found.ok) return found;
    const { session, leg } = found.value;
    const allowed = step(session.state, session.state === "detached" ? "reattach" : "control");
    if (!allowed.ok) return allowed;
    const { attach_seq: attachSeq } = parameters;
    const change = takeChange(leg, now);
    if (!change.ok) return change;
    if (attachSeq <= leg.attachSeq) {
      return refuse("attach-outdated", "A later connection carries the media.", "parameters.attach_seq", {
        attach_seq: leg.attachSeq,
      });
    }
    const { connection } = asked;
    const sets = layAnew(session, connection);
    if (!sets.ok) return sets;
    this.#finishStatements(session, leg);
    const older = leg.overTls && leg.attached ? leg.connection : undefined;
    this.#table.attach(session, leg, connection.id, sets.value);
    leg.attachSeq = attachSeq;
    leg.overTls = isSeparate(connection);
    this.#await(session, leg);
    session.lastActivity = Math.max(session.lastActivity, now);
    // T9: the session goes on once both ends are there.
    const isWhole = session.legs.every((each) => each.attached);
    const resumes = session.state === "detached" && isWhole;
    if (resumes) session.state = allowed.value.to;
    this.#answer(asked, session, leg, now);
    this.#desk.outputs.push({ kind: "media", connection: connection.id });
    this.#move(session);
    if (resumes) {
      this.#desk.outputs.push({ kind: "admission", message: { kind: "state", sessionId, state: "active" } });
    }
    if (older !== undefined && older !== connection.id) {
      this.#desk.outputs.push({ kind: "close", connection: older, code: CLOSE_REPLACED, reason: "replaced" });
    }
    return ok(undefined);
  }

  /** A connection is gone, and with it the media of the ends that had theirs there. */
  connectionLost(connection: ConnectionId, now: number): void {
    for (const session of this.#table.on(connection)) {
      this.#endings.dropWaiting(session, connection);
      for (const leg of session.legs) {
        if (leg.connection !== connection) continue;
        this.#table.detach(session, leg, now);
        const mayReturn = leg.overTls && (session.model === "bounded" || leg.detachedAt === undefined);
        if (!mayReturn) this.#endings.transportLost(session, now);
        else if (session.state === "active") {
          this.#move(session);
          this.#await(session, leg);
        }
      }
      this.#endings.finishIfComplete(session, now);
    }
  }

  /** The session was suspended and goes on: who has no media has as long to come for it as if that were new. */
  goOn(session: Session, now: number): void {
    for (const leg of session.legs) {
      if (leg.attached) continue;
      leg.heardAt = now;
      if (leg.detachedAt !== undefined) leg.detachedAt = now;
      this.#move(session);
      this.#await(session, leg);
    }
  }

  /** An end may have been without media for too long. */
  overdue(session: Session, number: LegNumber, now: number): void {
    const leg = session.legs[number];
    if (leg.attached || session.state !== "active") return;
    if (deadlineOf(leg) > now) this.#await(session, leg);
    else this.#endings.transportLost(session, now);
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

  #answer({ exchange, connection }: Asked, session: Session, leg: SessionLeg, now: number): void {
    const { carrier, channelBinding } = connection;
    const streams = streamParameters(session.flows, leg.leg);
    const facts = { leg: leg.leg, attach_seq: leg.attachSeq };
    const statements = this.#table
      .routesOf(session)
      .filter(({ signer }) => signer === leg.leg)
      .map(wantedNext);
    this.#desk.replies.answer(
      exchange,
      {
        result: { session_id: session.id, state: session.state, ...facts, streams, statements },
        headers: [["Stream-Parameters", streamParametersHeader(streams)]],
        event: "media-attached",
        extra: {
          ...facts,
          carrier,
          ...(channelBinding === undefined ? {} : { channel_binding: encodeHex(channelBinding) }),
        },
        sessionId: session.id,
        link: session.link,
      },
      now,
    );
  }

  /** Statements to this end go elsewhere from now on: where they went, their streams end. Nothing for a connection that is gone. */
  #finishStatements(session: Session, leg: SessionLeg): void {
    if (!leg.attached) return;
    for (const { speaker, ingress, egress } of session.flows) {
      const { connection } = speaker === leg.leg ? ingress : egress;
      const flow = speaker === leg.leg ? ingress.receipts : egress.checkpoints;
      this.#desk.outputs.push({ kind: "finish", connection, flow });
    }
  }

  /** The relay goes by where the leg's flows are now. */
  #move(session: Session): void {
    for (const flow of session.flows) {
      const message = {
        kind: "move",
        row: admissionRow(session, flow),
        epoch: session.epochs.get(flow) ?? 0,
      } as const;
      this.#desk.outputs.push({ kind: "admission", message });
    }
  }

  #await(session: Session, leg: SessionLeg): void {
    const kind = leg.leg === 0 ? "attach-caller" : "attach-callee";
    if (leg.attached) this.#desk.timers.clear(kind, session.id);
    else this.#desk.timers.set(kind, session.id, deadlineOf(leg));
  }
}

/** What an end goes on with: a statement that was on its way to another connection may be lost. */
function wantedNext({
  kind,
  stream,
  speaker,
  nextIndex,
  previous,
  isFinal,
  isBroken,
}: StatementRoute): JsonObject {
  return {
    ...{ kind, stream, leg: speaker, next_index: nextIndex, previous: encodeHex(previous) },
    state: isBroken ? "broken" : isFinal ? "final" : "open",
  };
}

/** Until when an end without media is waited for: one that never had any as long as it asks something now and then. */
function deadlineOf({ detachedAt, heardAt }: SessionLeg): number {
  return detachedAt === undefined ? heardAt + IDLE_LIMIT : detachedAt + ATTACH_GRACE;
}

/** Whether an agent that asks again, on this connection, for the session it established can use it there. */
export function mayTakeUp(leg: SessionLeg, connection: ConnectionState): boolean {
  return leg.connection === connection.id || (leg.overTls && !leg.attached && isSeparate(connection));
}
