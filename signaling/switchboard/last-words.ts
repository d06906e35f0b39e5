import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { ConnectionId } from "../admission.ts";
import { type ClosingPayload, verifyClosing } from "../closing.ts";
import type { Desk } from "./desk.ts";
import type { ExchangeId } from "./io.ts";
import type { Exchange } from "./replies.ts";
import { artifact, hasHadMedia, keyInForce, type Session, type SessionLeg } from "./session.ts";
import { sessionResult } from "./session-results.ts";
import type { SessionTable } from "./session-table.ts";
import type { StatementRoute } from "./statements.ts";

/** Requests of one end that may wait for its last statements; beyond: 429 `rate-limited`. */
const MAX_WAITING_ENDS = 8;

/**
 * What the ends of a session still have to say when it is over: closing statements, last checkpoints, last receipts. They
 * travel on streams of their own, so a request may overtake them: its answer says that they are all there.
 */
export class LastWords {
  readonly #desk: Desk;
  readonly #table: SessionTable;

  constructor(desk: Desk, table: SessionTable) {
    this.#desk = desk;
    this.#table = table;
  }

  checkClosing(session: Session, leg: SessionLeg, jws: string): Result<ClosingPayload> {
    return verifyClosing(
      jws,
      {
        publicKey: leg.signer.genesis.agentKey,
        sessionId: session.id,
        sessionDigest: session.core.digest,
        leg: leg.leg,
      },
      this.#desk.verifier,
    );
  }

  /**
   * Takes a leg's closing statement into the evidence; a second one of the same leg changes nothing once the first is kept, and nor does one that counts what an older
   * media key signed: its process has not heard yet that another one has the call, whose word is the last.
   */
  takeClosing(session: Session, leg: SessionLeg, jws: string): Result<void> {
    const closing = this.checkClosing(session, leg, jws);
    if (!closing.ok) return closing;
    const isOlder = (closing.value.generation ?? 0) !== keyInForce(leg).generation;
    const isKept = leg.hasClosed && leg.closing === undefined;
    if (isKept || isOlder) return ok(undefined);
    leg.hasClosed = true;
    // Kept once what it counts is: a server killed between the two would leave a file that contradicts itself.
    leg.closing = jws;
    return ok(undefined);
  }

  /**
   * Tells an end how its session ended: one that closed it with a statement once what that counts is there or nobody waits
   * for it any more, one that leaves without at once. Fault: `rate-limited`.
   */
  answer(session: Session, leg: SessionLeg, exchange: Exchange, now: number): Result<void> {
    if (leg.waiting.length >= MAX_WAITING_ENDS) {
      return refuse("rate-limited", "Too many requests wait for this session's end already.");
    }
    leg.waiting.push(exchange);
    this.release(session, now);
    return ok(undefined);
  }

  /** Answers every end whose statements are all there; at the end of the closing window everybody. */
  release(session: Session, now: number): void {
    for (const leg of session.legs) {
      const mayCome = leg.hasClosed && !session.awaitingCounters.final;
      if (mayCome && this.#unfinished(session, leg).length > 0) continue;
      this.#keepClosing(session, leg);
      for (const exchange of leg.waiting.splice(0)) {
        // Asked on a connection that is not the leg's, and is gone.
        if (this.#desk.connections.get(exchange.connection) === undefined) continue;
        const { counters: _counters, terms: _terms, ...result } = sessionResult(session);
        this.#desk.replies.answer(exchange, { result, sessionId: session.id, link: session.link }, now);
      }
    }
  }

  /** True while an end may still say something that belongs into the evidence. */
  areOwed(session: Session): boolean {
    return session.legs.some((leg) => {
      const unfinished = this.#unfinished(session, leg);
      if (leg.connection !== undefined) return !leg.hasClosed || unfinished.length > 0;
      // What it sent before it went may still arrive: an end that spoke of its statements, or was in the middle of them.
      return unfinished.some((route) => leg.hasClosed || route.nextIndex > 0);
    });
  }

  /** Nobody waits for these answers any more. */
  drop(session: Session, connection: ConnectionId, exchange?: ExchangeId): void {
    for (const leg of session.legs) {
      leg.waiting = leg.waiting.filter(
        (waiter) => waiter.connection !== connection || (exchange !== undefined && waiter.id !== exchange),
      );
    }
  }

  #keepClosing(session: Session, leg: SessionLeg): void {
    if (leg.closing === undefined) return;
    const entry = artifact(session, "closing", leg.leg, encoder.encode(leg.closing));
    leg.closing = undefined;
    this.#desk.outputs.push({ kind: "append", entries: [entry] });
  }

  /** Flows on which statements of this end may still come. */
  #unfinished(session: Session, leg: SessionLeg): StatementRoute[] {
    return this.#table
      .routesOf(session)
      .filter((route) => route.signer === leg.leg && !route.isFinal && !route.isBroken && hasHadMedia(leg));
  }
}

const encoder = new TextEncoder();
