import { type Fault, ok, type Result, refuse } from "../../codecs/result.ts";
import { verifyAnswer } from "../answer.ts";
import type { Asked } from "./asked.ts";
import { mayTakeUp } from "./attaching.ts";
import type { Desk } from "./desk.ts";
import type { Detaching } from "./detaching.ts";
import type { Endings } from "./endings.ts";
import { answerEstablished, establishSession } from "./establishing.ts";
import { checkStated } from "./gateway-checks.ts";
import type { OfferBook, RingingOffer } from "./offer-book.ts";
import type { Ringing } from "./ringing.ts";
import type { ConfirmParameters } from "./session-parameters.ts";
import type { SessionTable } from "./session-table.ts";

/** The callee's side of an offer: taken, declined, or answered too late. */
export class Answering {
  readonly #desk: Desk;
  readonly #table: SessionTable;
  readonly #book: OfferBook;
  readonly #ringing: Ringing;
  readonly #endings: Endings;
  readonly #detaching: Detaching;

  constructor(
    desk: Desk,
    table: SessionTable,
    book: OfferBook,
    ringing: Ringing,
    endings: Endings,
    detaching: Detaching,
  ) {
    this.#desk = desk;
    this.#table = table;
    this.#book = book;
    this.#ringing = ringing;
    this.#endings = endings;
    this.#detaching = detaching;
  }

  /** CONFIRM /sessions/{id}: the callee's answer. */
  confirm(asked: Asked, sessionId: string, parameters: ConfirmParameters, now: number): Result<void> {
    if (parameters.target_id !== sessionId) {
      return refuse("field-invalid", "This names another session than the path.", "parameters.target_id");
    }
    const ringing = this.#book.forSession(sessionId);
    if (ringing === undefined) return this.#confirmLate(asked, sessionId, parameters, now);
    if (ringing.callee.agentId !== asked.agent.agentId) {
      return refuse("session-identity-mismatch", "You are not the agent called.", "path");
    }
    const inbox = this.#inboxOf(asked, parameters);
    if (parameters.status === "accepted") return this.#accept(asked, ringing, inbox, parameters.answer, now);
    const refusal = rejection(parameters);
    this.#ringing.settle(ringing, refusal, now, { inbox, status: "rejected" });
    const result = { session_id: sessionId, status: "rejected" };
    const extra = { offer_id: ringing.offer.payload.offer_id };
    this.#desk.replies.answer(asked.exchange, { result, event: refusal.code, extra }, now);
    return ok(undefined);
  }

  #confirmLate(asked: Asked, sessionId: string, parameters: ConfirmParameters, now: number): Result<void> {
    const settled = this.#book.settledSession(sessionId, now);
    if (settled === undefined) return refuse("session-not-found", "There is no such session.", "path");
    if (settled.callee !== asked.agent.agentId) {
      return refuse("session-identity-mismatch", "You are not the agent called.", "path");
    }
    const session = this.#table.get(sessionId);
    const leg = session?.legs[1];
    const isRepeat =
      session?.answer.jws === parameters.answer &&
      session?.state === "active" &&
      leg !== undefined &&
      mayTakeUp(leg, asked.connection);
    if (isRepeat && session !== undefined && leg !== undefined) {
      answerEstablished(this.#desk, asked.exchange, session, leg, now);
      return ok(undefined);
    }
    const { answer } = settled;
    if (answer !== undefined && answer.inbox !== this.#inboxOf(asked, parameters))
      return refuse("offer-answered", "Another inbox of yours answered the offer.", "path", { ...answer });
    return refuse("offer-dead", "The offer is answered, taken back or over.", "path", {
      ...(settled.fault === undefined ? {} : { outcome: settled.fault.code }),
    });
  }

  #inboxOf({ agent, connection }: Asked, { inbox }: ConfirmParameters): string {
    return this.#desk.inboxes.nameFor(agent.agentId, connection.id, inbox);
  }

  #accept(
    asked: Asked,
    ringing: RingingOffer,
    inbox: string,
    jws: string | undefined,
    now: number,
  ): Result<void> {
    if (jws === undefined) return refuse("field-invalid", "This is missing.", "parameters.answer");
    const { offer, sessionId } = ringing;
    const standing = this.#desk.registry.standing(asked.agent, asked.connection.authority);
    if (!standing.ok) return standing;
    const callee = asked.agent;
    const { gateway } = asked.connection;
    const signer = gateway ?? callee;
    if (gateway !== undefined && offer.payload.gateways !== true)
      return refuse("gateway-refused", "The caller takes no gateways.", "parameters.answer");
    const answer = verifyAnswer(
      jws,
      { publicKey: signer.genesis.agentKey, gateway: gateway?.agentId, offer, sessionId, now },
      this.#desk.verifier,
    );
    if (!answer.ok) return answer;
    const stated = checkStated(answer.value.payload.gateway, asked.connection, "answer.gateway");
    if (!stated.ok) return stated;
    const scope = this.#desk.registry.scopeOf(callee, answer.value.scope, asked.connection.authority);
    if (!scope.ok) return scope;
    // Much may have changed while it rang.
    const caller = this.#ringing.judge(ringing, now);
    if (!caller.ok) return caller;
    const session = establishSession(
      this.#desk,
      { offer, answer: answer.value, ttl: ringing.ttl },
      [caller.value, { agent: callee, signer, connection: asked.connection, scope: scope.value }],
      now,
    );
    if (!session.ok) return session;
    this.#ringing.taken(ringing, inbox, now);
    this.#table.add(session.value, now);
    this.#endings.watch(session.value, now);
    this.#detaching.watch(session.value);
    const [callerLeg, calleeLeg] = session.value.legs;
    for (const waiter of ringing.waiters) {
      // Flows belong to one connection: a waiter elsewhere gets no session it could not use.
      const there = this.#desk.connections.get(waiter.connection);
      if (there !== undefined && mayTakeUp(callerLeg, there)) {
        answerEstablished(this.#desk, waiter, session.value, callerLeg, now);
      } else
        this.#desk.replies.refuse(
          waiter,
          { code: "session-state-conflict", message: "Answered on a later connection." },
          now,
        );
    }
    answerEstablished(this.#desk, asked.exchange, session.value, calleeLeg, now);
    this.#desk.outputs.log("info", "session-established", {
      sessionId,
      caller: ringing.caller.agentId,
      callee: callee.agentId,
      inbox,
      codecs: session.value.terms.streams
        .map((stream) => (stream.modality === "audio" ? stream.codec.name : stream.modality))
        .join(" "),
    });
    return ok(undefined);
  }
}

function rejection(parameters: ConfirmParameters): Fault {
  const { explanation, counter_proposal } = parameters;
  switch (parameters.reason) {
    case "busy":
      return { code: "callee-busy", message: explanation ?? "The called agent is busy." };
    case "proposal-rejected":
      return {
        code: "proposal-rejected",
        message: explanation ?? "The called agent has no codec in common.",
        details: {
          reason: "composition-impossible",
          ...(counter_proposal === undefined ? {} : { counter_proposal }),
        },
      };
    default:
      return { code: "declined", message: explanation ?? "The called agent declined." };
  }
}
