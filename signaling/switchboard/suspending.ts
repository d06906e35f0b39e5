import type { JsonObject } from "../../codecs/canonical-json.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import { step } from "../session-machine.ts";
import { formatUtc, parseUtc } from "../utc-time.ts";
import type { Asked } from "./asked.ts";
import { isCovered } from "./authorities.ts";
import type { Desk } from "./desk.ts";
import type { Detaching } from "./detaching.ts";
import type { Endings } from "./endings.ts";
import type { Exchange } from "./replies.ts";
import { issueNonce, nonceDigest, renewNonce } from "./resumption-nonce.ts";
import { peerOf, type Session, type SessionLeg, type Suspension, takeChange } from "./session.ts";
import type { ResumeParameters, SuspendParameters } from "./session-parameters.ts";
import { suspensionFacts } from "./session-results.ts";
import type { SessionTable } from "./session-table.ts";

/** How long a suspension lasts where its request does not say, milliseconds. The session's own lifetime goes on. */
const DEFAULT_SUSPENSION = 3_600_000;

/** What the other end is told of pauses. */
const PAUSE_EVENTS = ["session-suspended", "session-resumed"] as const;
type PauseEvent = (typeof PAUSE_EVENTS)[number];

/** Pauses sessions and lets them go on: media stands still in both directions, everything agreed stays. */
export class Suspending {
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

  /** SUSPEND /sessions/{id}. The same `suspension_id` again is answered again, while its nonce was not used. */
  suspend(asked: Asked, sessionId: string, parameters: SuspendParameters, now: number): Result<void> {
    if (parameters.session_id !== undefined && parameters.session_id !== sessionId) return anotherSession();
    const found = this.#table.participation(sessionId, asked.agent.agentId, now);
    if (!found.ok) return found;
    const { session, leg } = found.value;
    const change = takeChange(leg, now);
    if (!change.ok) return change;
    if (isRepeat(session, asked.agent.agentId, parameters.suspension_id)) {
      this.#answerSuspended(asked.exchange, session, session.suspension, now);
      return ok(undefined);
    }
    const transition = step(session.state, "suspend");
    if (!transition.ok) return transition;
    if (session.suspension !== undefined && session.suspension.id === parameters.suspension_id) {
      return refuse("idempotency-conflict", "This suspension is over.", "parameters.suspension_id");
    }
    const until = resumeBy(parameters, now);
    if (!until.ok) return until;
    const suspension: Suspension = {
      id: parameters.suspension_id ?? this.#desk.replies.uuid(now),
      by: asked.agent.agentId,
      reason: parameters.reason,
      nonce: undefined,
      nonceDigest: undefined,
      usedDigest: undefined,
      suspendedAt: now,
      resumeBy: Math.min(until.value, session.expiresAt),
      checkpoint: parameters.checkpoint,
    };
    session.state = transition.value.to;
    session.suspension = suspension;
    issueNonce(this.#desk, session);
    this.#desk.outputs.push({ kind: "admission", message: { kind: "state", sessionId, state: "held" } });
    this.#endings.pauseIdle(session);
    // At the end of its lifetime the session ends for that.
    if (suspension.resumeBy < session.expiresAt) {
      this.#desk.timers.set("resume-by", sessionId, suspension.resumeBy);
    }
    this.#answerSuspended(asked.exchange, session, suspension, now);
    this.#tellOther(session, leg, "session-suspended", suspensionFacts(suspension), now);
    this.#desk.outputs.log("info", "session-suspended", { sessionId, by: suspension.by });
    return ok(undefined);
  }

  /** RESUME /sessions/{id}: by whichever end has the nonce. */
  resume(asked: Asked, sessionId: string, parameters: ResumeParameters, now: number): Result<void> {
    const { session_id: named, workflow_id: workflow, resumption_nonce: nonce } = parameters;
    if ((named ?? sessionId) !== sessionId || (workflow ?? sessionId) !== sessionId) return anotherSession();
    const found = this.#table.participation(sessionId, asked.agent.agentId, now);
    if (!found.ok) return tooLate(found);
    const { session, leg } = found.value;
    const { suspension } = session;
    const change = takeChange(leg, now);
    if (!change.ok) return change;
    const digest = nonceDigest(nonce);
    if (suspension?.usedDigest === digest) {
      return this.#refuseNonce(session, asked.agent.agentId, "This nonce was used.");
    }
    const transition = step(session.state, "resume");
    if (!transition.ok) return transition;
    if (suspension === undefined || suspension.nonceDigest !== digest) {
      return this.#refuseNonce(session, asked.agent.agentId, "This is not the nonce of the suspension.");
    }
    // Burnt before anything can fail: whatever comes of this request, the nonce opens nothing again.
    suspension.usedDigest = digest;
    suspension.nonceDigest = undefined;
    suspension.nonce = undefined;
    const trusted = this.#verifyAnew(session);
    this.#desk.states.keep(session);
    if (!trusted.ok) return trusted;
    session.state = transition.value.to;
    this.#desk.timers.clear("resume-by", sessionId);
    this.#desk.outputs.push({ kind: "admission", message: { kind: "state", sessionId, state: "active" } });
    this.#endings.resumeIdle(session, now);
    this.#desk.states.keep(session);
    const { checkpoint, id } = suspension;
    const by = asked.agent.agentId;
    this.#desk.replies.answer(
      asked.exchange,
      {
        result: {
          ...{ session_id: sessionId, workflow_id: sessionId, suspension_id: id },
          ...{ status: "resumed", state: session.state, resumed_at: formatUtc(now) },
          ...(checkpoint === undefined ? {} : { checkpoint }),
        },
        event: "session-resumed",
        extra: { suspension_id: id, by },
        sessionId,
        link: session.link,
      },
      now,
    );
    this.#tellOther(session, leg, "session-resumed", { suspension_id: id, by }, now);
    this.#detaching.goOn(session, now);
    this.#desk.outputs.log("info", "session-resumed", { sessionId, by });
    return ok(undefined);
  }

  /** Nobody resumed it in time. */
  overdue(session: Session, now: number): void {
    this.#endings.end(session, "resume-deadline", "server", now);
  }

  #answerSuspended(exchange: Exchange, session: Session, suspension: Suspension, now: number): void {
    renewNonce(this.#desk, session);
    const facts = suspensionFacts(suspension);
    this.#desk.replies.answer(
      exchange,
      {
        result: {
          ...facts,
          ...{ session_id: session.id, status: "suspended", state: session.state },
          // The names of both drafts that describe it.
          expires_at: formatUtc(suspension.resumeBy),
          suspended_at: formatUtc(suspension.suspendedAt),
          ...(suspension.nonce === undefined ? {} : { resumption_nonce: suspension.nonce }),
        },
        event: "session-suspended",
        extra: facts,
        sessionId: session.id,
        link: session.link,
      },
      now,
    );
  }

  /** What it was told of pauses before is no news any more: they must not push out what it has to know of other calls. */
  #tellOther(session: Session, leg: SessionLeg, event: PauseEvent, fields: JsonObject, now: number): void {
    const other = peerOf(session, leg).agent.agentId;
    const { inboxes } = this.#desk;
    inboxes.withdraw(other, session.id, PAUSE_EVENTS);
    inboxes.post(other, { event, sessionId: session.id, fields }, now, session.link);
  }

  /** Both ends as if they came anew: may they act, and is anything of what they do here still covered? */
  #verifyAnew(session: Session): Result<void> {
    const { registry } = this.#desk;
    for (const leg of session.legs) {
      const agent = registry.get(leg.agent.agentId) ?? leg.agent;
      const standing = registry.standing(agent, leg.attached ? leg.authority : undefined);
      if (!standing.ok) return standing;
    }
    if (isCovered(session)) return ok(undefined);
    return refuse("scope-violation", "Nothing of what the ends agreed on is covered any more.", "path");
  }

  #refuseNonce(session: Session, agentId: string, message: string): Result<never> {
    session.noncesRefused += 1;
    this.#desk.states.keep(session);
    this.#desk.outputs.log("warn", "resume-nonce-refused", {
      sessionId: session.id,
      agentId,
      count: session.noncesRefused,
    });
    return refuse("nonce-invalid", message, "parameters.resumption_nonce", { state: session.state });
  }
}

/** Until when a suspension lasts, as its request says: a time, or seconds from now. */
function resumeBy(parameters: SuspendParameters, now: number): Result<number> {
  const { resume_by: time, ttl_seconds: seconds } = parameters;
  if (time === undefined) return ok(now + (seconds === undefined ? DEFAULT_SUSPENSION : seconds * 1000));
  const parsed = parseUtc(time, "parameters.resume_by");
  if (!parsed.ok || parsed.value > now) return parsed;
  return refuse("field-invalid", "This time is past.", "parameters.resume_by");
}

/** True when this end asks again for the suspension that is in force. */
function isRepeat(
  session: Session,
  agentId: string,
  id: string | undefined,
): session is Session & { readonly suspension: Suspension } {
  const { suspension, state } = session;
  return state === "suspended" && id !== undefined && suspension?.id === id && suspension.by === agentId;
}

/** A session that expired is told apart from one that was ended. */
function tooLate(refusal: Result<unknown> & { readonly ok: false }): Result<never> {
  const { code, details } = refusal.fault;
  if (code !== "session-terminated" || details?.state !== "expired") return refusal;
  return refuse("resume-expired", "The time to resume the session is over.", "path", details);
}

function anotherSession(): Result<never> {
  return refuse("field-invalid", "This names another session than the path.", "parameters");
}
