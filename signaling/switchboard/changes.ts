import type { JsonObject } from "../../codecs/canonical-json.ts";
import type { HeaderField } from "../../codecs/headers.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { FlowCounters } from "../admission.ts";
import { jwsDigest } from "../jws.ts";
import {
  isStillGood,
  settingsOf,
  type TermsChange,
  type TermsSettings,
  termsChangeDigest,
  verifyTermsAcceptance,
  verifyTermsChange,
} from "../terms-change.ts";
import type { Asked } from "./asked.ts";
import { CHANGE_ASKED, changeTimer, factsOf, refuseAsked, takeAsked } from "./asked-changes.ts";
import { type ChangePlace, checkMaySend, checkPlace, openedBy } from "./change-places.ts";
import type { Desk } from "./desk.ts";
import type { Endings } from "./endings.ts";
import {
  admissionRow,
  type FlowHolder,
  lastLetThrough,
  layFlows,
  type MediaFlow,
  streamParameters,
  streamParametersHeader,
  termsMessage,
} from "./flows.ts";
import { checkLoad, loadOfStreams } from "./load.ts";
import type { Exchange } from "./replies.ts";
import { artifact, type LegNumber, peerOf, type Session, type SessionLeg } from "./session.ts";
import type { ConfirmChangeParameters } from "./session-parameters.ts";
import type { SessionTable } from "./session-table.ts";
import { useProfile } from "./statements.ts";

/** How long the other end has to answer what one end wants changed, milliseconds. */
const ANSWER_WITHIN = 5_000;
/** Times the same change may be asked for again while it waits. */
const MAX_WAITING = 4;

/** A change that is in force and not yet recorded: its record names the last frames that the relay had let through. */
export interface CommittedChange {
  readonly change: TermsChange;
  readonly acceptance: string;
  /** Who waits for it: who asked, and who accepted. */
  readonly asking: readonly Exchange[];
  readonly accepting: Exchange;
}

/**
 * Changes of the terms that both ends sign: one asks, the other accepts, and the moment the server takes the acceptance is the only
 * one at which they come into force. The relay is told first; records, answers and events follow once it has said how far it had got.
 */
export class Changes {
  readonly #desk: Desk;
  readonly #table: SessionTable;
  readonly #endings: Endings;

  constructor(desk: Desk, table: SessionTable, endings: Endings) {
    this.#desk = desk;
    this.#table = table;
    this.#endings = endings;
  }

  /** ADJUST with a change, or OPEN: the other end is asked, and the answer waits for its word. */
  ask(asked: Asked, sessionId: string, jws: string, place: ChangePlace, now: number): Result<void> {
    const found = this.#table.steered(sessionId, asked.agent.agentId, now);
    if (!found.ok) return found;
    const { session, leg } = found.value;
    const { exchange } = asked;
    if (session.change?.change === jws)
      return this.#again(session, leg.leg, exchange, termsChangeDigest(jws), now);
    const waiting = session.asked[leg.leg];
    if (waiting?.change.jws === jws) {
      if (waiting.exchanges.length >= MAX_WAITING) return refuse("rate-limited", "This waits already.");
      waiting.exchanges.push(exchange);
      return ok(undefined);
    }
    if (waiting !== undefined) {
      return refuse("change-pending", "What this end asked before is not answered yet.", undefined, {
        change_id: waiting.change.payload.change_id,
      });
    }
    const change = verifyTermsChange(
      jws,
      {
        publicKey: leg.signer.genesis.agentKey,
        sessionDigest: session.core.digest,
        leg: leg.leg,
        terms: session.terms,
      },
      this.#desk.verifier,
    );
    if (!change.ok) return change;
    if (!isStillGood(change.value.payload, now))
      return refuse("change-unanswered", "This was signed too long ago.", "change.iat");
    const fits = checkPlace(session.terms, change.value, place);
    if (!fits.ok) return fits;
    const allowed = checkMaySend(session, change.value);
    if (!allowed.ok) return allowed;
    const { total } = this.#table.loads;
    const room = checkLoad(
      total,
      loadOfStreams(openedBy(session.terms, change.value.terms)),
      this.#desk.config.limits,
    );
    if (!room.ok) return room;
    if (!leg.statementRoom.fits(jws.length, now)) return refuse("capacity", NO_ROOM);
    session.asked[leg.leg] = { change: change.value, exchanges: [exchange] };
    this.#desk.timers.set(changeTimer(leg.leg), session.id, now + ANSWER_WITHIN);
    const { change_id, number, reason } = change.value.payload;
    const by = leg.agent.agentId;
    const fields = { change: jws, change_id, number, leg: leg.leg, reason, by };
    const other = peerOf(session, leg).agent.agentId;
    this.#desk.inboxes.post(other, { event: CHANGE_ASKED, sessionId: session.id, fields }, now, session.link);
    return ok(undefined);
  }

  /** CONFIRM /sessions/{id} of a change: the other end takes it, or does not. */
  confirm(asked: Asked, sessionId: string, parameters: ConfirmChangeParameters, now: number): Result<void> {
    const found = this.#table.steered(sessionId, asked.agent.agentId, now);
    if (!found.ok) return found;
    const { session, leg } = found.value;
    const { target_id: target, acceptance } = parameters;
    const asking = peerOf(session, leg);
    const { change: inForce } = session;
    if (acceptance !== undefined && inForce?.acceptance === acceptance)
      return this.#again(session, leg.leg, asked.exchange, termsChangeDigest(inForce.change), now);
    const waiting = session.asked[asking.leg];
    if (waiting === undefined || waiting.change.payload.change_id !== target) {
      return refuse("target-not-found", "Nobody asks for such a change.", "parameters.target_id");
    }
    if (parameters.status === "rejected") {
      this.#reject(asked.exchange, session, asking, parameters, now);
      return ok(undefined);
    }
    if (acceptance === undefined) return refuse("field-invalid", "This is missing.", "parameters.acceptance");
    const { change } = waiting;
    const opened = openedBy(session.terms, change.terms);
    const accepted = verifyTermsAcceptance(
      acceptance,
      { publicKey: leg.signer.genesis.agentKey, change },
      this.#desk.verifier,
    );
    if (!accepted.ok) return accepted;
    // Who asks has both on its own account: what one end wants must not use up what the other may say.
    const bytes = change.jws.length + acceptance.length;
    if (!asking.statementRoom.fits(bytes, now)) return refuse("capacity", ASKER_HAS_NO_ROOM);
    const flows = layFlows({ streams: opened }, [
      this.#holderOf(session.legs[0]),
      this.#holderOf(session.legs[1]),
    ]);
    if (!flows.ok) return flows;
    asking.statementRoom.take(bytes);
    this.#commit(session, asking.leg, { change, acceptance, accepting: asked.exchange }, flows.value, now);
    return ok(undefined);
  }

  /** The other end does not answer. */
  overdue(session: Session, leg: LegNumber, now: number): void {
    const { fault } = refuse("change-unanswered", "The other end does not say whether it wants the change.");
    refuseAsked(this.#desk, session, leg, fault, now);
  }

  /** Other terms are in force: what was asked for does not follow them. */
  outdate(session: Session, now: number): void {
    const details = { number: session.terms.number };
    const { fault } = refuse("terms-outdated", "Other terms came into force meanwhile.", undefined, details);
    for (const leg of [0, 1] as const) refuseAsked(this.#desk, session, leg, fault, now);
  }

  /** The relay has told how far it had got, or did not (`undefined`): records, answers and tells what waited for it. */
  counted(session: Session, counters: readonly FlowCounters[] | undefined, now: number): void {
    for (const committed of session.awaitingCounters.changes.splice(0)) {
      this.#record(session, committed, counters, now);
    }
  }

  #commit(
    session: Session,
    asking: LegNumber,
    agreed: Pick<CommittedChange, "change" | "acceptance" | "accepting">,
    opened: readonly MediaFlow[],
    now: number,
  ): void {
    const { change, acceptance } = agreed;
    const waiting = takeAsked(this.#desk, session, asking);
    session.terms = change.terms;
    session.change = { change: change.jws, acceptance, number: change.terms.number };
    for (const flow of session.flows) {
      this.#desk.outputs.push({ kind: "admission", message: termsMessage(session, flow) });
    }
    for (const route of this.#table.routesOf(session)) useProfile(route, change.terms.profile);
    this.#table.lay(session, opened, now);
    for (const flow of opened)
      this.#desk.outputs.push({
        kind: "admission",
        message: { kind: "install", row: admissionRow(session, flow) },
      });
    this.outdate(session, now);
    session.awaitingCounters.changes.push({ ...agreed, asking: waiting?.exchanges ?? [] });
    this.#endings.wantCounters(session, now);
  }

  #record(
    session: Session,
    { change, acceptance, asking, accepting }: CommittedChange,
    counters: readonly FlowCounters[] | undefined,
    now: number,
  ): void {
    const { replies, inboxes, states, connections } = this.#desk;
    const { payload, digest } = change;
    const { change_id, leg, number, settings, reason } = payload;
    const streams = counters === undefined ? {} : { streams: letThrough(session, counters) };
    const facts = { change_id, leg, number, settings, reason };
    const result = { ...facts, ...streams };
    const layout = (each: LegNumber) => openedLayout(session, settings, each);
    const entries = [
      artifact(session, "terms-change", leg, encoder.encode(change.jws), "session"),
      artifact(session, "terms-acceptance", leg === 0 ? 1 : 0, encoder.encode(acceptance), "session"),
    ];
    const [by, acceptedBy] = [leg, leg === 0 ? 1 : 0].map((each) => agentOf(session, each as LegNumber));
    const extra = { ...result, terms_change: digest, terms_acceptance: jwsDigest(acceptance) };
    const about = { sessionId: session.id, link: session.link };
    states.keep(session);
    if (connections.get(accepting.connection) === undefined) {
      replies.note("terms-changed", { ...extra, by: acceptedBy ?? "" }, session.link, entries, now);
    } else {
      const accepted = withLayout(result, layout(leg === 0 ? 1 : 0));
      replies.answer(accepting, { ...accepted, event: "terms-changed", extra, entries, ...about }, now);
    }
    for (const exchange of asking) {
      if (connections.get(exchange.connection) === undefined) continue;
      const confirmed = { ...factsOf(change), accepted_change: digest };
      const accepted = withLayout({ ...result, acceptance }, layout(leg));
      replies.answer(exchange, { ...accepted, event: "change-accepted", extra: confirmed, ...about }, now);
    }
    if (session.ending !== undefined) return;
    const signed = { change: change.jws, acceptance };
    const fields: JsonObject = { change: signed, number, leg, by: by ?? "", accepted_by: acceptedBy ?? "" };
    for (const { agent, leg: each } of session.legs) {
      const told = { ...fields, ...withLayout({}, layout(each)).result };
      const event = { event: "terms-changed", sessionId: session.id, fields: told };
      inboxes.post(agent.agentId, event, now, session.link);
    }
  }

  #reject(
    exchange: Exchange,
    session: Session,
    asking: SessionLeg,
    { explanation }: ConfirmChangeParameters,
    now: number,
  ): void {
    const reason = explanation === undefined ? {} : { reason: explanation };
    const change = session.asked[asking.leg]?.change;
    const { fault } = refuse("change-rejected", "The other end does not want the change.", undefined, reason);
    refuseAsked(this.#desk, session, asking.leg, fault, now);
    const facts = change === undefined ? {} : factsOf(change);
    const { change_id = "" } = facts as { readonly change_id?: string };
    this.#desk.replies.answer(
      exchange,
      {
        result: { change_id, status: "rejected" },
        event: "change-rejected",
        extra: { ...facts, ...reason },
        sessionId: session.id,
        link: session.link,
      },
      now,
    );
  }

  /** Where flows of new streams begin or end for a leg: on its connection for media, while it has one. */
  #holderOf({ attached, connection }: SessionLeg): FlowHolder {
    const present = attached && connection !== undefined ? this.#desk.connections.get(connection) : undefined;
    return present ?? this.#table.nowhere();
  }

  /** What is in force already was answered, or its answer is on its way. */
  #again(session: Session, leg: LegNumber, exchange: Exchange, digest: string, now: number): Result<void> {
    const { number } = session.terms;
    const made = session.change?.number ?? number;
    const settings = settingsOf(session.terms);
    const result = { number: made, settings, acceptance: session.change?.acceptance ?? "" };
    this.#desk.replies.answer(
      exchange,
      {
        ...withLayout(result, openedLayout(session, settings, leg)),
        event: "repeated",
        extra: { accepted_change: digest },
        sessionId: session.id,
        link: session.link,
      },
      now,
    );
    return ok(undefined);
  }
}

/** Where flows of streams that were opened and are not closed lie for one end. */
function openedLayout(session: Session, { opened = [] }: TermsSettings, leg: LegNumber): JsonObject[] {
  const isOpened = ({ stream }: MediaFlow) => opened.some(({ offer }) => offer.stream === stream);
  return streamParameters(session.flows.filter(isOpened), leg);
}

/** An answer that tells flows as well, in the result and in its header. */
function withLayout(
  result: JsonObject,
  layout: readonly JsonObject[],
): { readonly result: JsonObject; readonly headers?: readonly HeaderField[] } {
  if (layout.length === 0) return { result };
  return {
    result: { ...result, laid_out: [...layout] },
    headers: [["Stream-Parameters", streamParametersHeader(layout)]],
  };
}

/** How far the relay had got with both voices. */
function letThrough(session: Session, counters: readonly FlowCounters[]): JsonObject[] {
  const voices = session.flows.filter((flow) => flow.agreed.modality === "audio");
  return lastLetThrough(
    session,
    voices.toSorted((a, b) => a.speaker - b.speaker),
    counters,
  );
}

function agentOf(session: Session, leg: LegNumber): string {
  return session.legs[leg].agent.agentId;
}

const encoder = new TextEncoder();
const NO_ROOM = "This end leaves more statements than are kept.";
const ASKER_HAS_NO_ROOM = "Who asked leaves more statements than are kept.";
