import { canonicalBytes, type JsonObject } from "../../codecs/canonical-json.ts";
import { readRecord } from "../attribution.ts";
import { SessionLink } from "../record-chain.ts";
import type { LogEntry, OpenSession } from "../record-log.ts";
import type { SessionState } from "../session-machine.ts";
import type { Authorities } from "./authorities.ts";
import type { Desk } from "./desk.ts";
import type { Detaching } from "./detaching.ts";
import { readState } from "./kept-state.ts";
import { type LoggedSession, readLeftSession } from "./left-session.ts";
import { type OfferBook, offerKey } from "./offer-book.ts";
import { restoreSession } from "./restoring.ts";
import type { Ending, Session } from "./session.ts";
import type { SessionTable } from "./session-table.ts";

/** Why sessions end, or stand still, that were up when an earlier process of this server stopped without ending them. */
const RESTARTED = "server-restarted";

/** Takes up what an earlier process of this server left: sessions that outlive one go on, the others get their final record. */
export class Recovery {
  readonly #desk: Desk;
  readonly #table: SessionTable;
  readonly #book: OfferBook;
  readonly #detaching: Detaching;
  readonly #authorities: Authorities;

  constructor(
    desk: Desk,
    table: SessionTable,
    book: OfferBook,
    detaching: Detaching,
    authorities: Authorities,
  ) {
    this.#desk = desk;
    this.#table = table;
    this.#book = book;
    this.#detaching = detaching;
    this.#authorities = authorities;
  }

  /** Whatever is wrong with what is left of a session, it goes on or gets its final record. */
  take(logged: LoggedSession, now: number, mediaTime: number): void {
    // Nothing to go on with but how it had ended, if it had.
    const ended = logged.landmarks.length === 0 ? endingOf(logged) : undefined;
    if (logged.state === undefined || ended !== undefined) {
      this.#close(logged, now, ended);
      return;
    }
    const left = readLeftSession(this.#desk, logged, mediaTime - now);
    const restored = left.ok
      ? restoreSession(this.#desk, left.value, this.#table.nowhere(), { now, mediaTime })
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
    this.#close(logged, now);
  }

  /** An end of a session that was not taken up is stopped: its final record says so, or why it had ended before. Nothing of it is judged. */
  end(open: OpenSession, reason: string, now: number): void {
    this.#close(open, now, endingOf(open) ?? { state: "terminated", ending: { reason, by: "server" } });
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

  /** Writes the final record, and answers its ends by it for a while; the relay's counters are lost. */
  #close(logged: OpenSession & Partial<LoggedSession>, now: number, ended: EndedSession = RESTART): void {
    const { sessionId, sessionSeq, auditId, artifacts, first } = logged;
    const { state } = ended;
    const { reason, by } = ended.ending;
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
      state === "expired" ? "session-expired" : "session-terminated",
      { reason, by, counters, artifacts: artifacts + 1 },
      new SessionLink(sessionId, { sessionSeq, auditId }),
      [entry],
      now,
    );
    const participants = endsOf(first);
    this.#table.remember({ id: sessionId, state, ending: { reason, by, at: now }, participants }, now);
    this.#desk.outputs.log("warn", "session-closed", { sessionId, reason });
  }
}

/** How a session came to its end. */
interface EndedSession {
  readonly state: SessionState;
  readonly ending: Pick<Ending, "reason" | "by">;
}

const RESTART: EndedSession = { state: "terminated", ending: { reason: RESTARTED, by: "server" } };

/** How one had ended that an earlier process had not closed yet; `undefined` for one that was up. */
function endingOf({ state: bytes }: OpenSession): EndedSession | undefined {
  const kept = bytes === undefined ? undefined : readState(bytes);
  if (kept?.ok !== true || kept.value.ending === undefined) return undefined;
  return { state: kept.value.state, ending: kept.value.ending };
}

/** Agent-IDs by leg. */
function endsOf(first: string | undefined): readonly string[] {
  const record = first === undefined ? undefined : readRecord(first);
  const participants = record?.ok ? record.value.extra?.participants : undefined;
  return Array.isArray(participants) ? participants.filter((agentId) => typeof agentId === "string") : [];
}
