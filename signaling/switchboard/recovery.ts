import { canonicalBytes, type JsonObject } from "../../codecs/canonical-json.ts";
import { SessionLink } from "../record-chain.ts";
import type { LogEntry, OpenSession } from "../record-log.ts";
import type { Authorities } from "./authorities.ts";
import type { Desk } from "./desk.ts";
import type { Detaching } from "./detaching.ts";
import { readState } from "./kept-state.ts";
import { type LoggedSession, readLeftSession } from "./left-session.ts";
import { type OfferBook, offerKey } from "./offer-book.ts";
import { restoreSession } from "./restoring.ts";
import type { Ending, Session } from "./session.ts";

/** Why sessions end, or stand still, that were up when an earlier process of this server stopped without ending them. */
const RESTARTED = "server-restarted";
const RESTARTED_ENDING = { reason: RESTARTED, by: "server" } as const;

/** Takes up what an earlier process of this server left: sessions that outlive one go on, the others get their final record. */
export class Recovery {
  readonly #desk: Desk;
  readonly #book: OfferBook;
  readonly #detaching: Detaching;
  readonly #authorities: Authorities;
  /** Where the flows of sessions are that have no connection: each in a place of its own. */
  #nextPlace = -1;

  constructor(desk: Desk, book: OfferBook, detaching: Detaching, authorities: Authorities) {
    this.#desk = desk;
    this.#book = book;
    this.#detaching = detaching;
    this.#authorities = authorities;
  }

  /** Whatever is wrong with what is left of a session, it goes on or gets its final record. */
  take(logged: LoggedSession, now: number, mediaTime: number): void {
    if (logged.state === undefined) {
      this.#close(logged, RESTARTED_ENDING, now);
      return;
    }
    const left = readLeftSession(this.#desk, logged, mediaTime - now);
    const restored = left.ok
      ? restoreSession(this.#desk, left.value, this.#nextPlace--, { now, mediaTime })
      : left;
    if (left.ok && restored.ok) {
      this.#detaching.restore(restored.value, left.value.flows, RESTARTED, now);
      this.#goOn(restored.value, now);
      return;
    }
    const { sessionId } = logged;
    if (!restored.ok) {
      const { code, at } = restored.fault;
      this.#desk.outputs.log("error", "session-not-restored", { sessionId, code, at });
    }
    this.#close(logged, RESTARTED_ENDING, now);
  }

  /** An end of a session that was not taken up is stopped: its final record says so, or why it had ended before. Nothing of it is judged. */
  end(open: OpenSession, reason: string, now: number): void {
    const kept = open.state === undefined ? undefined : readState(open.state);
    const ending = kept?.ok === true ? kept.value.ending : undefined;
    this.#close(open, ending ?? { reason, by: "server" }, now);
  }

  #goOn(session: Session, now: number): void {
    const { states, replies, outputs } = this.#desk;
    const { id: sessionId, offer, state } = session;
    const [caller, callee] = session.legs.map(({ agent }) => agent.agentId) as [string, string];
    const key = offerKey(caller, offer.payload.offer_id);
    const settled = { digest: offer.digest, sessionId, caller, callee, fault: undefined };
    this.#book.remember(key, settled, now);
    states.keep(session);
    replies.note("session-restored", { reason: RESTARTED, state }, session.link, [], now);
    outputs.log("info", "session-restored", { sessionId, caller, callee, state });
    this.#authorities.rejudge(session, now);
  }

  /** Writes the final record; the relay's counters are lost. */
  #close(
    { sessionId, sessionSeq, auditId, artifacts }: OpenSession,
    { reason, by }: Pick<Ending, "reason" | "by">,
    now: number,
  ): void {
    const counters: JsonObject[] = [];
    const entry: LogEntry = {
      kind: "artifact",
      sessionId,
      index: artifacts,
      artifact: "counters",
      leg: undefined,
      bytes: canonicalBytes(counters),
    };
    this.#desk.replies.close(
      "session-terminated",
      { reason, by, counters, artifacts: artifacts + 1 },
      new SessionLink(sessionId, { sessionSeq, auditId }),
      [entry],
      now,
    );
    this.#desk.outputs.log("warn", "session-closed", { sessionId, reason });
  }
}
