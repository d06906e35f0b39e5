import type { JsonObject } from "../../codecs/canonical-json.ts";
import { encodeHex } from "../../codecs/hex.ts";
import { ok, type Result } from "../../codecs/result.ts";
import type { FlowCounters } from "../admission.ts";
import { jwsDigest } from "../jws.ts";
import type { MediaKey } from "../media-key.ts";
import type { Asked } from "./asked.ts";
import { type AdmittedAttachment, type Attachment, admitAttachment } from "./attach-checks.ts";
import type { Authorities } from "./authorities.ts";
import { type ConnectionState, isSeparate } from "./connections.ts";
import type { Desk } from "./desk.ts";
import { type Detaching, PRESENCE_EVENTS } from "./detaching.ts";
import type { Endings } from "./endings.ts";
import { lastSequence, layAnew, nextSequences, streamParameters, streamParametersHeader } from "./flows.ts";
import { renewNonce } from "./resumption-nonce.ts";
import {
  artifact,
  hasHadMedia,
  keyInForce,
  peerOf,
  type Session,
  type SessionLeg,
  takeChange,
} from "./session.ts";
import type { SessionTable } from "./session-table.ts";
import type { StatementRoute } from "./statements.ts";
import { agreementOf, liveSessions, presentState } from "./taking-up.ts";

/** Code of `sfu/carrier`, which this room cannot see. */
const CLOSE_REPLACED = 5;
/** How far beyond the last frame that is known of its stream a new media key begins: the key before may have signed some that never came here. */
export const GENERATION_GAP = 65_536;
/** The sequence numbers of a stream begin below. */
const HIGHEST_START = 2 ** 32;

/** Which connection carries an end's media: where requests and media share one, that of the request that established it, until OPEN names another. */
export class Attaching {
  readonly #desk: Desk;
  readonly #table: SessionTable;
  readonly #endings: Endings;
  readonly #detaching: Detaching;
  readonly #authorities: Authorities;

  constructor(
    desk: Desk,
    table: SessionTable,
    endings: Endings,
    detaching: Detaching,
    authorities: Authorities,
  ) {
    this.#desk = desk;
    this.#table = table;
    this.#endings = endings;
    this.#detaching = detaching;
    this.#authorities = authorities;
  }

  /** The agent's sessions that are not over: what a process that knows of none may take up. */
  sessionsOf(agentId: string, gateway: ConnectionState["gateway"]): JsonObject[] {
    return liveSessions(this.#table.of(agentId), agentId, gateway);
  }

  /** OPEN /sessions/{id}/media: this end's media flows on this connection from the answer on, which the relay's counters are waited for. */
  open(asked: Asked, sessionId: string, parameters: Attachment["parameters"], now: number): Result<void> {
    const found = this.#table.participation(sessionId, asked.agent.agentId, now);
    if (!found.ok) return found;
    const { session, leg } = found.value;
    const change = takeChange(leg, now);
    if (!change.ok) return change;
    const admitted = admitAttachment(this.#desk, this.#table, { asked, parameters }, sessionId, now);
    if (!admitted.ok) return admitted;
    session.awaitingCounters.attaching.push({ asked, parameters });
    this.#endings.wantCounters(session, now);
    return ok(undefined);
  }

  /** The relay has told how far it had got, or did not (`undefined`): what waited for it is carried out. */
  counted(session: Session, counters: readonly FlowCounters[] | undefined, now: number): void {
    for (const attachment of session.awaitingCounters.attaching.splice(0)) {
      const { exchange } = attachment.asked;
      if (this.#desk.connections.get(exchange.connection) === undefined) continue;
      // Much may have happened meanwhile.
      const admitted = admitAttachment(this.#desk, this.#table, attachment, session.id, now);
      const known = counters ?? session.counters;
      const done = admitted.ok ? this.#carryOut(attachment, admitted.value, known, now) : admitted;
      if (!done.ok) this.#desk.replies.refuse(exchange, done.fault, now);
    }
  }

  #carryOut(
    attachment: Attachment,
    admitted: AdmittedAttachment,
    counters: readonly FlowCounters[],
    now: number,
  ): Result<void> {
    if (admitted.isRepeat) {
      this.#answer(attachment, admitted, counters, now);
      return ok(undefined);
    }
    const sets = layAnew(admitted.session.flows.length, attachment.asked.connection);
    if (!sets.ok) return sets;
    this.#attach(attachment, admitted, sets.value, counters, now);
    return ok(undefined);
  }

  #attach(
    attachment: Attachment,
    admitted: AdmittedAttachment,
    sets: Parameters<SessionTable["attach"]>[3],
    counters: readonly FlowCounters[],
    now: number,
  ): void {
    const { connection } = attachment.asked;
    const { attach_seq: attachSeq, clock } = attachment.parameters;
    const { session, leg, mediaKey } = admitted;
    const { outputs } = this.#desk;
    const isReturn = hasHadMedia(leg);
    const older = leg.attached ? leg.connection : undefined;
    const isOlderSeparate = leg.overTls;
    this.#finishStatements(session, leg);
    if (mediaKey !== undefined) this.#unhold(session, leg, now);
    this.#table.attach(session, leg, connection.id, sets);
    leg.attachSeq = attachSeq;
    leg.overTls = isSeparate(connection);
    leg.clock = clock ?? leg.clock;
    if (mediaKey !== undefined) this.#changeKey(session, leg, mediaKey, counters);
    const places = settle(session, leg, attachment.parameters.received ?? []);
    const wasDetached = session.state === "detached";
    this.#detaching.cameBack(session, leg, now);
    this.#detaching.moveMedia(session, leg, attachment.parameters.received);
    if (wasDetached && session.state === "active") {
      outputs.push({ kind: "admission", message: { kind: "state", sessionId: session.id, state: "active" } });
    }
    this.#desk.states.keep(session);
    this.#answer(attachment, admitted, counters, now, isReturn ? "session-rebound" : "media-attached");
    outputs.push({ kind: "media", connection: connection.id });
    this.#tell(session, leg, { isReturn, older, mediaKey, clock, places }, now);
    if (older !== undefined && older !== connection.id && isOlderSeparate) {
      outputs.push({ kind: "close", connection: older, code: CLOSE_REPLACED, reason: "replaced" });
    }
    this.#authorities.moved(session, leg, connection, now);
  }

  /** Another process has the call: it holds nothing of what the one before it held, and does not know of it. */
  #unhold(session: Session, leg: SessionLeg, now: number): void {
    const by = leg.agent.agentId;
    for (const flow of session.flows) {
      if (flow.listener !== leg.leg || !flow.isHeld || flow.closedAt !== undefined) continue;
      flow.isHeld = false;
      const { speaker, stream } = flow;
      const message = { kind: "hold", sessionId: session.id, leg: speaker, stream, isHeld: false } as const;
      this.#desk.outputs.push({ kind: "admission", message });
      const fields = { stream, held: false, leg: leg.leg, by };
      const other = peerOf(session, leg).agent.agentId;
      this.#desk.inboxes.post(
        other,
        { event: "stream-held", sessionId: session.id, fields },
        now,
        session.link,
      );
    }
  }

  /** From here on the leg's frames and statements hold by this key alone. */
  #changeKey(session: Session, leg: SessionLeg, key: MediaKey, counters: readonly FlowCounters[]): void {
    leg.mediaKeys = [...leg.mediaKeys, key];
    for (const route of this.#table.routesOf(session)) {
      if (route.signer === leg.leg) route.keys = new Map([[key.generation, key.ed25519]]);
    }
    for (const flow of session.flows) {
      if (flow.speaker !== leg.leg) continue;
      // It has nothing of what the process before it said.
      session.unsettled.delete(flow);
      const known = [lastSequence(flow, counters), session.leastSequences.get(flow)].filter(
        (sequence) => sequence !== undefined,
      );
      // What an earlier process of the server let through, and no end has stated, may be anything that a stream begins with.
      if (known.length === 0 && session.resumedAt !== undefined) known.push(HIGHEST_START);
      session.leastSequences.set(flow, Math.max(0, ...known) + GENERATION_GAP);
    }
  }

  #tell(
    session: Session,
    leg: SessionLeg,
    what: {
      readonly isReturn: boolean;
      readonly older: number | undefined;
      readonly mediaKey: MediaKey | undefined;
      readonly clock: Attachment["parameters"]["clock"];
      readonly places: readonly JsonObject[];
    },
    now: number,
  ): void {
    const { inboxes } = this.#desk;
    const { isReturn, older, mediaKey, clock, places } = what;
    const [own, other] = [leg.agent.agentId, peerOf(session, leg).agent.agentId];
    const { generation } = keyInForce(leg);
    const post = (to: string, event: string, fields: JsonObject) =>
      inboxes.post(to, { event, sessionId: session.id, fields }, now, session.link);
    if (mediaKey !== undefined) {
      const fields = { leg: leg.leg, generation, media_key: mediaKey.jws, attach_seq: leg.attachSeq };
      post(other, "media-key-changed", fields);
    }
    const facts = { leg: leg.leg, attach_seq: leg.attachSeq, generation, state: session.state };
    if (isReturn) {
      inboxes.withdraw(other, session.id, PRESENCE_EVENTS);
      const received = places.length === 0 ? {} : { received: [...places] };
      post(other, "peer-attached", { ...facts, ...received, ...(clock === undefined ? {} : { clock }) });
    } else post(other, "peer-attached", { ...facts, first: true });
    if (older === undefined || older === leg.connection) return;
    inboxes.withdraw(own, session.id, ["media-moved"]);
    post(own, "media-moved", { attach_seq: leg.attachSeq });
  }

  #answer(
    { asked, parameters }: Attachment,
    { session, leg, mediaKey }: AdmittedAttachment,
    counters: readonly FlowCounters[],
    now: number,
    event?: "media-attached" | "session-rebound",
  ): void {
    const { carrier, channelBinding } = asked.connection;
    const { registry, identity, replies } = this.#desk;
    const places = nextSequences(session, counters);
    const streams = streamParameters(session.flows, leg.leg).map((stream, at) => ({
      ...stream,
      ...places[at],
    }));
    const facts = { leg: leg.leg, attach_seq: leg.attachSeq, generation: keyInForce(leg).generation };
    const statements = this.#table
      .routesOf(session)
      .filter(({ signer }) => signer === leg.leg)
      .map(wantedNext);
    if (parameters.take_up === true && session.suspension?.by === leg.agent.agentId) {
      renewNonce(this.#desk, session);
    }
    const present = presentState(session, leg);
    const agreement =
      parameters.take_up === true ? { agreement: agreementOf(session, leg, identity, registry, now) } : {};
    const binding = channelBinding === undefined ? {} : { channel_binding: encodeHex(channelBinding) };
    const key = mediaKey === undefined ? {} : { media_key: jwsDigest(mediaKey.jws) };
    const clock = parameters.clock === undefined ? {} : { clock: parameters.clock };
    const entries =
      mediaKey === undefined
        ? []
        : [artifact(session, "media-key", leg.leg, new TextEncoder().encode(mediaKey.jws))];
    replies.answer(
      asked.exchange,
      {
        result: {
          session_id: session.id,
          state: session.state,
          ...facts,
          streams,
          statements,
          present,
          ...agreement,
        },
        headers: [["Stream-Parameters", streamParametersHeader(streams)]],
        ...(event === undefined
          ? { event: "repeated" }
          : {
              event,
              extra: { ...facts, state: session.state, carrier, ...binding, ...key, ...clock },
              entries,
            }),
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
}

/**
 * How far a listener that is back has heard each reliable stream, for its speaker: by its own word, or, where an earlier process of the server handed on
 * nobody knows how much, at least by what was stated. That process being gone, its word also says where such a stream goes on.
 */
function settle(
  session: Session,
  leg: SessionLeg,
  received: NonNullable<Attachment["parameters"]["received"]>,
): JsonObject[] {
  return session.flows.flatMap((flow) => {
    if (flow.listener !== leg.leg || flow.agreed.modality !== "data") return [];
    const { stream } = flow;
    const said = received.find((each) => each.stream === stream)?.next_sequence;
    if (!session.unsettled.delete(flow)) return said === undefined ? [] : { stream, next_sequence: said };
    const next = Math.max(said ?? 0, session.leastSequences.get(flow) ?? 0);
    if (next > 0) session.leastSequences.set(flow, next);
    return { stream, next_sequence: next };
  });
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

/** Whether an agent that asks again, on this connection, for the session it established can use it there. */
export function mayTakeUp(leg: SessionLeg, connection: ConnectionState): boolean {
  return leg.connection === connection.id || (leg.overTls && !leg.attached && isSeparate(connection));
}
