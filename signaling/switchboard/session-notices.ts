import type { JsonObject } from "../../codecs/canonical-json.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import { step } from "../session-machine.ts";
import type {
  HoldNotice,
  KeyFrameAsked,
  MuteNotice,
  RenditionNotice,
  SessionNotice,
  SessionNoticeEvent,
  UnattributedNotice,
} from "../session-notice.ts";
import { isInterruptible, streamsSentBy } from "../terms.ts";
import type { Asked } from "./asked.ts";
import type { Desk } from "./desk.ts";
import type { MediaFlow } from "./flows.ts";
import type { SwitchboardInput } from "./io.ts";
import { peerOf, type Session, type SessionLeg } from "./session.ts";
import type { SessionTable } from "./session-table.ts";
import type { StreamEnds } from "./stream-ends.ts";

/** News that make older ones of theirs pointless, said by the same about the same: of each, the newest alone waits in an inbox. */
const SUPERSEDED: Readonly<Record<SessionNoticeEvent, readonly SessionNoticeEvent[]>> = {
  bandwidth_estimate: ["bandwidth_estimate"],
  quality_degraded: ["quality_degraded", "quality_restored"],
  quality_restored: ["quality_degraded", "quality_restored"],
  "heard-position": ["heard-position"],
  unattributed: ["unattributed"],
  pause: ["pause", "resume"],
  resume: ["pause", "resume"],
  keyframe_request: ["keyframe_request"],
  "stream-muted": ["stream-muted"],
  "stream-held": ["stream-held"],
  rendition: ["rendition"],
};
/** What says who says a notice, of which end, and of which stream or video. */
const ABOUT = ["by", "leg", "stream", "source"] as const;

/** What the ends, and the relay, tell of how the media comes: to the other end by its inbox, and to the record. */
export class SessionNotices {
  readonly #desk: Desk;
  readonly #table: SessionTable;
  readonly #streamEnds: StreamEnds;

  constructor(desk: Desk, table: SessionTable, streamEnds: StreamEnds) {
    this.#streamEnds = streamEnds;
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
    if (event === "pause" && !isInterruptible(session.terms, notice.stream, peerOf(session, leg).leg)) {
      return refuse(
        "interrupt-forbidden",
        "The speaker of this stream may not be interrupted.",
        "content.stream",
      );
    }
    if (event === "unattributed") {
      const wrong = misplaced(session, leg, notice);
      if (wrong !== undefined) return wrong;
    }
    if (notice.event === "rendition" && !isShown(session, leg, notice))
      return refuse("field-invalid", "This end is sent no such rendition.", "content.rendition");
    if (isOfOneFlow(notice)) {
      const flow = flowMeant(session, leg, notice);
      if (!flow.ok) return flow;
      if (notice.event === "stream-held") {
        this.#streamEnds.hold(session, flow.value, notice.held);
        this.#desk.states.keep(session);
      }
    }
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

  /**
   * The relay says how live media comes to an end: it is told, and so is who speaks to it. No end's own notices count against this, nor does it
   * against theirs: how often the relay looks bounds it.
   */
  quality(
    { sessionId, connection, reason }: Extract<SwitchboardInput, { kind: "quality" }>,
    now: number,
  ): void {
    const session = this.#table.get(sessionId);
    const leg = session?.legs.find((each) => each.connection === connection);
    if (session === undefined || leg === undefined || session.ending !== undefined) return;
    const before = leg.degraded;
    if (reason === before) return;
    leg.degraded = reason;
    const event = reason === undefined ? "quality_restored" : "quality_degraded";
    const facts = { reason: reason ?? before ?? "loss", leg: leg.leg, by: "server" };
    this.#desk.replies.note(event.replace("_", "-"), facts, session.link, [], now);
    for (const each of session.legs) this.#post(each, sessionId, event, facts, now);
  }

  #post(to: SessionLeg, sessionId: string, event: SessionNoticeEvent, fields: JsonObject, now: number): void {
    const { inboxes } = this.#desk;
    const isSame = (older: JsonObject) => ABOUT.every((name) => older[name] === fields[name]);
    inboxes.withdraw(to.agent.agentId, sessionId, SUPERSEDED[event], isSame);
    inboxes.post(to.agent.agentId, { event, sessionId, fields }, now);
  }
}

/** What is said of one direction of a stream: by its speaker, or by its listener. */
type FlowNotice = MuteNotice | HoldNotice | KeyFrameAsked;

function isOfOneFlow(notice: SessionNotice): notice is FlowNotice {
  return ["stream-muted", "stream-held", "keyframe_request"].includes(notice.event);
}

/** Whether an end is sent a video in that rendition, or could be. */
function isShown({ terms }: Session, { leg }: SessionLeg, { source, rendition }: RenditionNotice): boolean {
  return streamsSentBy(terms, leg === 0 ? 1 : 0).some(
    (each) => each.modality === "video" && each.source === source && each.rendition === rendition,
  );
}

/** The direction of a stream that its speaker mutes, or its listener holds or wants a key frame of. */
function flowMeant(session: Session, { leg }: SessionLeg, { event, stream }: FlowNotice): Result<MediaFlow> {
  const isMine = ({ speaker, listener }: MediaFlow) =>
    leg === (event === "stream-muted" ? speaker : listener);
  const flow = session.flows.find(
    (each) => each.stream === stream && isMine(each) && each.closedAt === undefined,
  );
  if (flow !== undefined) return ok(flow);
  const message = event === "stream-muted" ? "This end says nothing there." : "This end hears nothing there.";
  return refuse("field-invalid", message, "content.stream");
}

/** Only who hears a stream finds its frames unattributed, and only where frames are proved by checkpoints, or were before a change. */
function misplaced(
  session: Session,
  { leg }: SessionLeg,
  { stream, first_sequence: first, last_sequence: last }: UnattributedNotice,
): Result<never> | undefined {
  const isHeard = session.flows.some((flow) => flow.stream === stream && flow.speaker !== leg);
  if (!isHeard) return refuse("field-invalid", "This end does not hear that stream.", "content.stream");
  if (first > last)
    return refuse("field-invalid", "This is less than the first one.", "content.last_sequence");
  if (session.terms.profile === "chain" || session.change !== undefined) return undefined;
  return refuse("field-invalid", "Each frame of this call proves itself.", "content.event");
}
