import type { JsonObject } from "../../codecs/canonical-json.ts";
import { encodeHex } from "../../codecs/hex.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { FlowCounters } from "../admission.ts";
import { jwsDigest } from "../jws.ts";
import { encodePublicKey } from "../keys.ts";
import { type MediaKey, verifyMediaKey } from "../media-key.ts";
import { step } from "../session-machine.ts";
import type { Asked } from "./asked.ts";
import { isCovered } from "./authorities.ts";
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
import type { OpenParameters } from "./session-parameters.ts";
import type { SessionTable } from "./session-table.ts";
import type { StatementRoute } from "./statements.ts";
import { agreementOf, liveSessions } from "./taking-up.ts";

/** Code of `sfu/carrier`, which this room cannot see. */
const CLOSE_REPLACED = 5;
/** How far behind the last frame that is known of it a new media key begins: frames of the key before may have been lost on their way here. */
export const GENERATION_GAP = 65_536;

/** An OPEN that waits for the relay's counters: its answer says where each stream goes on. */
export interface Attachment {
  readonly asked: Asked;
  readonly parameters: OpenParameters;
}

/** An OPEN that may be carried out. */
interface Admitted {
  readonly session: Session;
  readonly leg: SessionLeg;
  /** The media key it brings, where that is not the one in force. */
  readonly mediaKey: MediaKey | undefined;
  /** It was carried out already, on this connection. */
  readonly isRepeat: boolean;
}

/** Which connection carries an end's media: where requests and media share one, that of the request that established it, until OPEN names another. */
export class Attaching {
  readonly #desk: Desk;
  readonly #table: SessionTable;
  readonly #endings: Endings;
  readonly #detaching: Detaching;

  constructor(desk: Desk, table: SessionTable, endings: Endings, detaching: Detaching) {
    this.#desk = desk;
    this.#table = table;
    this.#endings = endings;
    this.#detaching = detaching;
  }

  /** The agent's sessions that are not over: what a process that knows of none may take up. */
  sessionsOf(agentId: string): JsonObject[] {
    return liveSessions(this.#table.of(agentId), agentId);
  }

  /** OPEN /sessions/{id}/media: this end's media flows on this connection from the answer on, which the relay's counters are waited for. */
  open(asked: Asked, sessionId: string, parameters: OpenParameters, now: number): Result<void> {
    const found = this.#table.participation(sessionId, asked.agent.agentId, now);
    if (!found.ok) return found;
    const { session, leg } = found.value;
    const change = takeChange(leg, now);
    if (!change.ok) return change;
    const admitted = this.#admit({ asked, parameters }, sessionId, now);
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
      const admitted = this.#admit(attachment, session.id, now);
      const known = counters ?? session.counters;
      const done = admitted.ok ? this.#carryOut(attachment, admitted.value, known, now) : admitted;
      if (!done.ok) this.#desk.replies.refuse(exchange, done.fault, now);
    }
  }

  #carryOut(
    attachment: Attachment,
    admitted: Admitted,
    counters: readonly FlowCounters[],
    now: number,
  ): Result<void> {
    if (admitted.isRepeat) {
      this.#answer(attachment, admitted, counters, now);
      return ok(undefined);
    }
    const sets = layAnew(admitted.session, attachment.asked.connection);
    if (!sets.ok) return sets;
    this.#attach(attachment, admitted, sets.value, counters, now);
    return ok(undefined);
  }

  #admit({ asked, parameters }: Attachment, sessionId: string, now: number): Result<Admitted> {
    const { registry } = this.#desk;
    const { connection } = asked;
    const agent = registry.get(asked.agent.agentId) ?? asked.agent;
    const standing = registry.standing(agent, connection.authority);
    if (!standing.ok) return standing;
    const found = this.#table.participation(sessionId, agent.agentId, now);
    if (!found.ok) return found;
    const { session, leg } = found.value;
    const allowed = mayAttach(session);
    if (!allowed.ok) return allowed;
    const { attach_seq: attachSeq, media_key: jws } = parameters;
    const isRepeat = attachSeq === leg.attachSeq && leg.attached && leg.connection === connection.id;
    if (attachSeq <= leg.attachSeq && !isRepeat) {
      return refuse("attach-outdated", "A later connection carries the media.", "parameters.attach_seq", {
        attach_seq: leg.attachSeq,
      });
    }
    if (!isCovered(session)) {
      return refuse("scope-violation", "Nothing of what the ends agreed on is covered any more.", "path");
    }
    const mediaKey = this.#newKey(session, leg, jws, now);
    if (!mediaKey.ok) return mediaKey;
    if (isRepeat && mediaKey.value !== undefined) return generationOutdated(leg);
    return ok({ session, leg, isRepeat, mediaKey: mediaKey.value });
  }

  /** The media key that is brought; nothing for none, or the one in force. */
  #newKey(
    session: Session,
    leg: SessionLeg,
    jws: string | undefined,
    now: number,
  ): Result<MediaKey | undefined> {
    const present = keyInForce(leg);
    if (jws === undefined || jws === present.jws) return ok(undefined);
    const { agentId, genesis } = leg.agent;
    const { offer_id: offerId } = session.offer.payload;
    const expected = { agentId, publicKey: genesis.agentKey, offerId, now };
    const key = verifyMediaKey(jws, expected, this.#desk.verifier);
    if (!key.ok)
      return { ok: false, fault: { ...key.fault, at: `parameters.${key.fault.at ?? "media_key"}` } };
    if (key.value.generation !== present.generation + 1) return generationOutdated(leg);
    const known = session.legs.flatMap(({ mediaKeys }) => mediaKeys);
    if (known.some(({ ed25519 }) => encodePublicKey(ed25519) === encodePublicKey(key.value.ed25519))) {
      return refuse(
        "certificate-invalid",
        "This key has signed in this call already.",
        "parameters.media_key.ed25519",
      );
    }
    return ok(key.value);
  }

  #attach(
    attachment: Attachment,
    admitted: Admitted,
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
    this.#table.attach(session, leg, connection.id, sets);
    leg.attachSeq = attachSeq;
    leg.overTls = isSeparate(connection);
    leg.clock = clock ?? leg.clock;
    if (mediaKey !== undefined) this.#changeKey(session, leg, mediaKey, counters);
    const wasDetached = session.state === "detached";
    this.#detaching.cameBack(session, leg, now);
    this.#detaching.moveMedia(session, leg, attachment.parameters.received);
    if (wasDetached && session.state === "active") {
      outputs.push({ kind: "admission", message: { kind: "state", sessionId: session.id, state: "active" } });
    }
    this.#desk.states.keep(session);
    this.#answer(attachment, admitted, counters, now, isReturn ? "session-rebound" : "media-attached");
    outputs.push({ kind: "media", connection: connection.id });
    this.#tell(session, leg, { isReturn, older, mediaKey, clock }, now);
    if (older === undefined || older === connection.id || !isOlderSeparate) return;
    outputs.push({ kind: "close", connection: older, code: CLOSE_REPLACED, reason: "replaced" });
  }

  /** From here on the leg's frames and statements hold by this key alone. */
  #changeKey(session: Session, leg: SessionLeg, key: MediaKey, counters: readonly FlowCounters[]): void {
    leg.mediaKeys = [...leg.mediaKeys, key];
    for (const route of this.#table.routesOf(session)) {
      if (route.signer === leg.leg) route.keys = new Map([[key.generation, key.ed25519]]);
    }
    for (const flow of session.flows) {
      if (flow.speaker !== leg.leg) continue;
      const known = lastSequence(flow, counters) ?? session.leastSequences.get(flow) ?? 0;
      session.leastSequences.set(flow, known + GENERATION_GAP);
    }
  }

  #tell(
    session: Session,
    leg: SessionLeg,
    what: {
      readonly isReturn: boolean;
      readonly older: number | undefined;
      readonly mediaKey: MediaKey | undefined;
      readonly clock: OpenParameters["clock"];
    },
    now: number,
  ): void {
    const { inboxes } = this.#desk;
    const { isReturn, older, mediaKey, clock } = what;
    const [own, other] = [leg.agent.agentId, peerOf(session, leg).agent.agentId];
    const { generation } = keyInForce(leg);
    const post = (to: string, event: string, fields: JsonObject) =>
      inboxes.post(to, { event, sessionId: session.id, fields }, now, session.link);
    if (mediaKey !== undefined) {
      const fields = { leg: leg.leg, generation, media_key: mediaKey.jws, attach_seq: leg.attachSeq };
      post(other, "media-key-changed", fields);
    }
    if (isReturn) {
      inboxes.withdraw(other, session.id, PRESENCE_EVENTS);
      const facts = { leg: leg.leg, attach_seq: leg.attachSeq, generation, state: session.state };
      post(other, "peer-attached", { ...facts, ...(clock === undefined ? {} : { clock }) });
    }
    if (older === undefined || older === leg.connection) return;
    inboxes.withdraw(own, session.id, ["media-moved"]);
    post(own, "media-moved", { attach_seq: leg.attachSeq });
  }

  #answer(
    { asked, parameters }: Attachment,
    { session, leg, mediaKey }: Admitted,
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
        result: { session_id: session.id, state: session.state, ...facts, streams, statements, ...agreement },
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

/** An end may come back to a session that is paused; that alone does not let it go on. */
function mayAttach({ state }: Session): Result<unknown> {
  if (state === "suspended") return ok(undefined);
  return step(state, state === "detached" ? "reattach" : "control");
}

function generationOutdated(leg: SessionLeg): Result<never> {
  return refuse(
    "generation-outdated",
    "A new media key is of the generation after the one in force.",
    "parameters.media_key.generation",
    { generation: keyInForce(leg).generation },
  );
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
