import type { JsonObject } from "../../codecs/canonical-json.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import { step } from "../session-machine.ts";
import type { SessionNotice, SessionNoticeEvent } from "../session-notice.ts";
import type { Asked } from "./asked.ts";
import type { Desk } from "./desk.ts";
import type { SwitchboardInput } from "./io.ts";
import { peerOf, type SessionLeg } from "./session.ts";
import type { SessionTable } from "./session-table.ts";

/** News that make older ones of theirs pointless: of each, the newest alone waits in an inbox. */
const SUPERSEDED: Readonly<Record<SessionNoticeEvent, readonly SessionNoticeEvent[]>> = {
  bandwidth_estimate: ["bandwidth_estimate"],
  quality_degraded: ["quality_degraded", "quality_restored"],
  quality_restored: ["quality_degraded", "quality_restored"],
  "heard-position": ["heard-position"],
  unattributed: ["unattributed"],
};

/** What the ends, and the relay, tell of how the media comes: to the other end by its inbox, and to the record. */
export class SessionNotices {
  readonly #desk: Desk;
  readonly #table: SessionTable;

  constructor(desk: Desk, table: SessionTable) {
    this.#desk = desk;
    this.#table = table;
  }

  /** NOTIFY /sessions/{id} with one of those events. Rated for each end; what waits in an inbox is the newest of its kind. */
  tell(asked: Asked, sessionId: string, notice: SessionNotice, now: number): Result<void> {
    const found = this.#table.participation(sessionId, asked.agent.agentId, now);
    if (!found.ok) return found;
    const { session, leg } = found.value;
    const taken = step(session.state, "control");
    if (!taken.ok) return taken;
    if (!leg.noticeAllowance.take(now)) {
      const wait = Math.ceil(leg.noticeAllowance.nextAt(now) - now);
      return refuse("rate-limited", "Too many notices.", undefined, { retry_after_ms: wait });
    }
    const { event, ...facts } = notice;
    const hasStream = !("stream" in notice) || session.flows.some(({ stream }) => stream === notice.stream);
    if (!hasStream) return refuse("field-invalid", "There is no such stream.", "content.stream");
    session.lastActivity = Math.max(session.lastActivity, now);
    const said = { ...facts, leg: leg.leg };
    const by = leg.agent.agentId;
    this.#desk.replies.answer(
      asked.exchange,
      { result: { event }, event, extra: said, sessionId, link: session.link },
      now,
    );
    this.#post(peerOf(session, leg), sessionId, event, { ...said, by }, now);
    return ok(undefined);
  }

  /** The relay says how it gets rid of what goes to a leg: that end is told. */
  quality(told: Extract<SwitchboardInput, { kind: "quality" }>, now: number): void {
    const session = this.#table.get(told.sessionId);
    const leg = session?.legs[told.leg];
    if (session === undefined || leg === undefined || session.ending !== undefined) return;
    if (!leg.noticeAllowance.take(now)) return;
    const event = told.degraded ? "quality_degraded" : "quality_restored";
    const facts = { reason: told.reason, leg: told.leg };
    this.#desk.replies.note(event.replace("_", "-"), { ...facts, by: "server" }, session.link, [], now);
    this.#post(leg, session.id, event, { ...facts, by: "server" }, now);
  }

  #post(to: SessionLeg, sessionId: string, event: SessionNoticeEvent, fields: JsonObject, now: number): void {
    const { inboxes } = this.#desk;
    inboxes.withdraw(to.agent.agentId, sessionId, SUPERSEDED[event]);
    inboxes.post(to.agent.agentId, { event, sessionId, fields }, now);
  }
}
