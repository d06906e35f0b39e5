import { type Fault, ok, type Result, refuse } from "../../codecs/result.ts";
import type { ConnectionId } from "../admission.ts";
import { callerOf, type Offer, type OfferPayload } from "../offer.ts";
import { formatScopes } from "../scope.ts";
import { isFinal } from "../session-machine.ts";
import type { Asked } from "./asked.ts";
import { mayTakeUp } from "./attaching.ts";
import { isSeparate } from "./connections.ts";
import type { Desk } from "./desk.ts";
import { type Arrival, answerEstablished, newSessionId } from "./establishing.ts";
import type { InboxEvent } from "./inbox-queue.ts";
import type { GoneOffline } from "./inboxes.ts";
import type { ExchangeId } from "./io.ts";
import {
  MAX_WAITERS,
  type OfferAnswer,
  type OfferBook,
  offerKey,
  type RingingOffer,
  type SettledOffer,
} from "./offer-book.ts";
import { authorizeAgain, authorizeOffer, readEstablish } from "./offer-checks.ts";
import { introduce, type RegisteredAgent, warningsOf } from "./registry.ts";
import type { Exchange } from "./replies.ts";
import { checkRoom, findCallee } from "./room.ts";
import type { EstablishParameters } from "./session-parameters.ts";
import type { SessionTable } from "./session-table.ts";

/** How long an offer rings, milliseconds. */
export const RING_TIME = 45_000;
/** How long a callee that lost its inbox, or a caller that lost its connection, may take to come back, milliseconds. */
export const RETURN_GRACE = 5_000;

/**
 * How often a caller over TLS that wants to hear of it is told that its offer rings, milliseconds. A killed process ends its direction as one does that
 * awaits its answer: the second word that meets nobody tells them apart.
 */
export const STILL_RINGING = 2_000;

/** A connection that is gone, or one exchange of it. */
export interface LostConnection {
  readonly connection: ConnectionId;
  readonly exchange?: ExchangeId | undefined;
  /** The client closed the connection: it does not mean to come back. */
  readonly orderly: boolean;
}

/** What ESTABLISH of an offer says. */
type OfferParameters = EstablishParameters & { readonly offer: string };

/** Offers from ESTABLISH until they are answered, refused, taken back or given up. */
export class Ringing {
  readonly #desk: Desk;
  readonly #table: SessionTable;
  readonly #book: OfferBook;
  #draining = false;

  constructor(desk: Desk, table: SessionTable, book: OfferBook) {
    this.#desk = desk;
    this.#table = table;
    this.#book = book;
  }

  /** ESTABLISH /sessions. Answers at once with a refusal, or later with what became of the offer. */
  establish(asked: Asked, parameters: OfferParameters, now: number): Result<void> {
    const caller = this.#desk.registry.standing(asked.agent, asked.connection.authority);
    if (!caller.ok) return caller;
    const read = readEstablish(this.#desk, { ...asked, agent: caller.value }, parameters, now);
    if (!read.ok) return read;
    const offer = read.value;
    const key = offerKey(caller.value.agentId, offer.payload.offer_id);
    const known = this.#book.get(key);
    if (known !== undefined) return this.#repeatRinging(asked, parameters, known, offer, now);
    const settled = this.#book.settled(key, now);
    if (settled !== undefined) return this.#repeatSettled(asked, settled, offer, now);
    if (this.#draining) return refuse("draining", "This server takes no new sessions.");

    const scope = authorizeOffer(this.#desk, asked, offer, parameters);
    if (!scope.ok) return scope;
    const isCalling = this.#opposite(offer.payload).length > 0;
    const callee = findCallee(this.#desk, offer.payload, { isCalling });
    if (!callee.ok) return callee;
    const room = checkRoom(this.#desk, this.#table, this.#book, caller.value, callee.value, offer);
    if (!room.ok) return room;
    const sessionId = newSessionId(this.#desk.random);
    const glare = this.#glare(key, sessionId, offer, now);
    if (!glare.ok) return glare;

    const ringing: RingingOffer = {
      key,
      offer,
      sessionId,
      caller: caller.value,
      signer: asked.connection.gateway ?? caller.value,
      callee: callee.value,
      callerScope: scope.value,
      ttl: Math.min(offer.payload.session.ttl, this.#desk.config.limits.sessionTtl),
      ringUntil: now + RING_TIME,
      waiters: [asked.exchange],
      told: new Set(),
    };
    this.#book.add(ringing);
    this.#desk.timers.set("ring", key, ringing.ringUntil);
    if (parameters.provisional === true) this.#answerRinging(asked.exchange, ringing, now);
    this.#desk.inboxes.post(callee.value.agentId, offerEvent(ringing, now), now);
    return ok(undefined);
  }

  /** TERMINATE /offers/{offer_id}: the caller takes its offer back. */
  cancel(asked: Asked, offerId: string, now: number): Result<void> {
    const key = offerKey(asked.agent.agentId, offerId);
    const ringing = this.#book.get(key);
    if (ringing === undefined) {
      const settled = this.#book.settled(key, now);
      if (settled === undefined) return refuse("offer-not-found", "There is no such offer of yours.", "path");
      if (settled.fault?.code !== "cancelled") {
        return refuse("offer-dead", "The offer is answered or over; a call is ended by its session.", "path");
      }
    } else {
      this.#giveUp(
        ringing,
        { code: "cancelled", message: "The caller took the offer back." },
        "cancelled",
        now,
      );
    }
    const result = { offer_id: offerId, state: "cancelled" };
    const extra = { offer_id: offerId };
    this.#desk.replies.answer(asked.exchange, { result, event: "offer-cancelled", extra }, now);
    return ok(undefined);
  }

  /** Nobody answered in time. */
  ringTimeOver(key: string, now: number): void {
    const ringing = this.#book.get(key);
    if (ringing === undefined) return;
    this.#giveUp(ringing, { code: "no-answer", message: "It rang and nobody answered." }, "no-answer", now);
  }

  /** Time to say so again. */
  stillRinging(key: string, now: number): void {
    const ringing = this.#book.get(key);
    for (const exchange of ringing?.told ?? []) {
      if (ringing?.waiters.includes(exchange)) this.#answerRinging(exchange, ringing, now);
      else ringing?.told.delete(exchange);
    }
  }

  /** The callee did not come back to its inbox. */
  calleeGone(key: string, now: number): void {
    const ringing = this.#book.get(key);
    if (ringing === undefined) return;
    this.#giveUp(
      ringing,
      { code: "callee-unreachable", message: "The called agent went away while it rang." },
      "callee-unreachable",
      now,
    );
  }

  /** The caller did not come back for its answer. */
  callerGone(key: string, now: number): void {
    const ringing = this.#book.get(key);
    if (ringing === undefined) return;
    this.#giveUp(
      ringing,
      { code: "cancelled", message: "The caller went away while it rang." },
      "caller-gone",
      now,
    );
  }

  /** An agent has this inbox back: its ringing offers are answered there, also those that only an earlier subscriber heard of. */
  calleeBack(agentId: string, inbox: string, isFresh: boolean, now: number): void {
    const { timers, inboxes } = this.#desk;
    for (const ringing of this.#book.to(agentId)) {
      timers.clear("callee-gone", ringing.key);
      if (isFresh && !inboxes.holds(agentId, inbox, ringing.sessionId, "offer"))
        inboxes.postTo(agentId, inbox, offerEvent(ringing, now), now);
    }
  }

  /** An agent's last inbox is gone: its ringing offers wait a little for one that broke, unless all were closed on purpose. */
  calleeLost({ agentId, brokenAt, hasGateways }: GoneOffline, now: number): void {
    const until = brokenAt === undefined ? now : brokenAt + RETURN_GRACE;
    for (const { key, offer } of this.#book.to(agentId)) {
      if (hasGateways && offer.payload.gateways === true) continue;
      if (until <= now) this.calleeGone(key, now);
      else this.#desk.timers.set("callee-gone", key, until);
    }
  }

  /** The same for a caller that lost a connection, or only gave up one exchange of it. */
  callerLost(agentId: string, lost: LostConnection, now: number): void {
    for (const { key } of this.#book.dropWaiters(agentId, lost.connection, lost.exchange)) {
      if (lost.orderly) this.callerGone(key, now);
      else this.#desk.timers.set("caller-gone", key, now + RETURN_GRACE);
    }
  }

  /** An agent may not act any more: whatever rings from it or at it is refused so. */
  agentGone(agentId: string, refusal: Fault, now: number): void {
    for (const ringing of [...this.#book.from(agentId), ...this.#book.to(agentId)]) {
      this.#giveUp(ringing, refusal, refusal.code, now);
    }
  }

  /** What is on file of an agent has changed: what it may not call with any more, or be called for, rings no longer. */
  agentChanged(agent: RegisteredAgent, now: number): void {
    for (const ringing of this.#book.from(agent.agentId)) this.judge(ringing, now);
    const standing = this.#desk.registry.standing(agent);
    if (standing.ok) return;
    for (const ringing of this.#book.to(agent.agentId))
      this.#giveUp(ringing, standing.fault, standing.fault.code, now);
  }

  /**
   * The caller of an offer as it is now, on the connection that it waits on, with what it may do there; an offer that it could not make any
   * more is given up, and `offer-dead` the answer. So is one whose caller is away: that one is only left to ring.
   */
  judge(ringing: RingingOffer, now: number): Result<Arrival> {
    const connection = this.#desk.connections.get(ringing.waiters.at(-1)?.connection ?? -1);
    if (connection === undefined) return refuse("offer-dead", "The caller has gone.", "path");
    const agent = this.#desk.registry.get(ringing.caller.agentId) ?? ringing.caller;
    const scope = authorizeAgain(this.#desk, agent, ringing.offer, connection, now);
    if (scope.ok) {
      ringing.callerScope = scope.value;
      return ok({ agent, signer: ringing.signer, connection, scope: scope.value });
    }
    const { code } = scope.fault;
    this.#giveUp(ringing, scope.fault, code, now);
    return refuse("offer-dead", "The caller may not make this offer any more.", "path", { outcome: code });
  }

  /** No new offers from now on, and what rings is refused. */
  drain(now: number): void {
    this.#draining = true;
    for (const ringing of this.#book.all()) {
      this.#giveUp(
        ringing,
        { code: "draining", message: "This server takes no new sessions." },
        "draining",
        now,
      );
    }
  }

  /** Offers of the callee that ring at the caller. */
  #opposite(payload: OfferPayload): readonly RingingOffer[] {
    const caller = callerOf(payload);
    return this.#book.from(payload.callee).filter((ringing) => ringing.callee.agentId === caller);
  }

  /** Both called each other: the lower offer digest survives. */
  #glare(key: string, sessionId: string, offer: Offer, now: number): Result<void> {
    const { callee } = offer.payload;
    const caller = callerOf(offer.payload);
    const opposite = this.#opposite(offer.payload);
    const stronger = opposite.find((ringing) => ringing.offer.digest < offer.digest);
    if (stronger !== undefined) {
      const refusal = glareFault(stronger.offer.payload.offer_id);
      // The same offer again gets the same answer.
      this.#book.remember(key, { digest: offer.digest, sessionId, caller, callee, fault: refusal }, now);
      return { ok: false, fault: refusal };
    }
    for (const ringing of opposite) this.#giveUp(ringing, glareFault(offer.payload.offer_id), "glare", now);
    return ok(undefined);
  }

  #repeatRinging(
    asked: Asked,
    parameters: EstablishParameters,
    ringing: RingingOffer,
    offer: Offer,
    now: number,
  ): Result<void> {
    if (ringing.offer.digest !== offer.digest) return conflict();
    // The session goes to where the last of them waits: so counts what is shown there.
    const scope = authorizeOffer(this.#desk, asked, offer, parameters);
    if (!scope.ok) return scope;
    ringing.callerScope = scope.value;
    const displaced = ringing.waiters.length >= MAX_WAITERS ? ringing.waiters.shift() : undefined;
    if (displaced !== undefined) {
      this.#desk.replies.refuse(
        displaced,
        { code: "idempotency-conflict", message: "A later request waits instead." },
        now,
      );
    }
    ringing.waiters.push(asked.exchange);
    this.#desk.timers.clear("caller-gone", ringing.key);
    if (parameters.provisional === true) this.#answerRinging(asked.exchange, ringing, now);
    return ok(undefined);
  }

  #repeatSettled(asked: Asked, settled: SettledOffer, offer: Offer, now: number): Result<void> {
    if (settled.digest !== offer.digest) return conflict();
    if (settled.fault !== undefined) return { ok: false, fault: settled.fault };
    const found = this.#table.participation(settled.sessionId, settled.caller, now);
    if (!found.ok) return found;
    const { session, leg } = found.value;
    if (isFinal(session.state))
      return refuse("session-terminated", "The session has ended.", "path", { state: session.state });
    if (!mayTakeUp(leg, asked.connection)) {
      return refuse("session-state-conflict", "The session's media is on another connection.", undefined, {
        state: session.state,
      });
    }
    answerEstablished(this.#desk, asked.exchange, session, leg, now);
    return ok(undefined);
  }

  #answerRinging(exchange: Exchange, ringing: RingingOffer, now: number): void {
    const result = { state: "ringing", offer_id: ringing.offer.payload.offer_id };
    const { replies, connections, timers } = this.#desk;
    replies.answer(exchange, { status: 202, result, final: false, event: "ringing" }, now);
    const connection = connections.get(exchange.connection);
    if (connection === undefined || !isSeparate(connection)) return;
    ringing.told.add(exchange);
    timers.set("still-ringing", ringing.key, now + STILL_RINGING);
  }

  /** Ends an offer without the callee's doing: the callee is told as well. */
  #giveUp(ringing: RingingOffer, refusal: Fault, reason: string, now: number): void {
    this.settle(ringing, refusal, now);
    this.#desk.inboxes.post(
      ringing.callee.agentId,
      {
        event: "offer-cancelled",
        sessionId: ringing.sessionId,
        ...audienceOf(ringing.offer),
        fields: { offer_id: ringing.offer.payload.offer_id, reason },
      },
      now,
    );
  }

  /** Ends an offer with this answer to everybody who waits for it. */
  settle(ringing: RingingOffer, refusal: Fault, now: number, answer?: OfferAnswer): void {
    this.#close(ringing, refusal, now, answer);
    const extra = { offer_id: ringing.offer.payload.offer_id };
    for (const waiter of ringing.waiters) this.#desk.replies.refuse(waiter, refusal, now, { extra });
    this.#desk.outputs.log("info", "session-rejected", {
      sessionId: ringing.sessionId,
      caller: ringing.caller.agentId,
      callee: ringing.callee.agentId,
      code: refusal.code,
    });
  }

  /** The offer was accepted at that inbox of the callee: it rings nowhere any more. */
  taken(ringing: RingingOffer, inbox: string, now: number): void {
    this.#close(ringing, undefined, now, { inbox, status: "accepted" });
  }

  /** Stops the clocks of an offer and tells the inboxes that did not answer it, where one did. */
  #close(ringing: RingingOffer, fault: Fault | undefined, now: number, answer?: OfferAnswer): void {
    const { timers, inboxes } = this.#desk;
    for (const kind of ["ring", "still-ringing", "callee-gone", "caller-gone"] as const)
      timers.clear(kind, ringing.key);
    this.#book.settle(ringing, fault, now, answer);
    const { sessionId, callee, offer } = ringing;
    inboxes.withdraw(callee.agentId, sessionId, ["offer"]);
    if (answer === undefined) return;
    const fields = { offer_id: offer.payload.offer_id, ...answer };
    const event = { event: "offer-answered", sessionId, ...audienceOf(offer), fields };
    inboxes.postBeside(callee.agentId, answer.inbox, event, now);
  }
}

function offerEvent(
  { sessionId, offer, caller, signer, callerScope, ringUntil }: RingingOffer,
  now: number,
): InboxEvent {
  const ring_until = Math.floor(ringUntil / 1000);
  return {
    event: "offer",
    sessionId,
    warnings: warningsOf(caller),
    ...audienceOf(offer),
    fields: {
      offer: offer.jws,
      caller: introduce(signer, now),
      authority_scope: formatScopes(callerScope),
      ring_until,
    },
  };
}

/** Whether gateways of the callee hear of an offer. */
function audienceOf({ payload }: Offer): Pick<InboxEvent, "isOwn"> {
  return payload.gateways === true ? {} : { isOwn: true };
}

function glareFault(offerId: string): Fault {
  return {
    code: "glare",
    message: "Both called each other: answer the other offer.",
    details: { offer_id: offerId },
  };
}

function conflict(): Result<never> {
  return refuse("idempotency-conflict", "This offer id was used for another offer.", "offer.offer_id");
}
