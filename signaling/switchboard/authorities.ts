import { ok } from "../../codecs/result.ts";
import type { FlowCounters } from "../admission.ts";
import type { Authority } from "../authority.ts";
import { formatScopes, intersect, isSameScope, type ScopeSet } from "../scope.ts";
import { isFinal, type SessionTrigger, step } from "../session-machine.ts";
import type { Certification } from "./certification.ts";
import { type ConnectionState, isSeparate } from "./connections.ts";
import type { Desk } from "./desk.ts";
import type { Endings } from "./endings.ts";
import { isPermitted, lastLetThrough, termsMessage } from "./flows.ts";
import { shownBy } from "./grants.ts";
import { nextJudgement } from "./judgements.ts";
import type { RegisteredAgent } from "./registry.ts";
import type { Ringing } from "./ringing.ts";
import type { LegNumber, Session, SessionLeg } from "./session.ts";
import type { SessionTable } from "./session-table.ts";

/** An end may do less than it did, in force and not yet recorded: the record names the last frames that the relay had let through. */
export interface AuthorityChange {
  readonly leg: LegNumber;
  /** What remains. */
  readonly scope: ScopeSet;
  /** The streams that it sends on. */
  readonly streams: readonly number[];
}

/** Why a session must end: a row of the machine, and the reason its final record gives. */
interface Verdict {
  readonly trigger: SessionTrigger;
  readonly reason?: string;
}

/** What a leg was judged by last; while all of it is the same, so is the judgement. */
interface Judged {
  readonly agent: RegisteredAgent;
  readonly authority: Authority;
  readonly scope: ScopeSet;
  readonly isHere: boolean;
}

/**
 * Whether the ends of live sessions still have the authority they came in with: judged on every request in a session, when documents
 * or status of an agent change, and every 15 s. What is no longer covered is narrowed, and a session that nothing covers ends.
 */
export class Authorities {
  readonly #desk: Desk;
  readonly #table: SessionTable;
  readonly #endings: Endings;
  readonly #ringing: Ringing;
  readonly #judged = new WeakMap<SessionLeg, Judged>();

  constructor(desk: Desk, table: SessionTable, endings: Endings, ringing: Ringing) {
    this.#desk = desk;
    this.#table = table;
    this.#endings = endings;
    this.#ringing = ringing;
  }

  /** An agent asks something in a session, on this connection: what it shows there counts as {@link Authorities.#taken} says, and both ends are judged. */
  asked(sessionId: string, agentId: string, connection: ConnectionState, now: number): void {
    const session = this.#table.get(sessionId);
    const leg = session?.legs.find(({ agent }) => agent.agentId === agentId);
    if (session === undefined || leg === undefined) return;
    this.#take(session, leg, this.#taken(leg, connection, now), now);
  }

  /** The media of an end flows on this connection from now on: so counts what was shown there. */
  moved(session: Session, leg: SessionLeg, connection: ConnectionState, now: number): void {
    this.#take(session, leg, renewed(leg.authority, shownBy(connection, now)), now);
  }

  #take(session: Session, leg: SessionLeg, authority: Authority, now: number): void {
    const isOther = leg.authority !== authority;
    leg.authority = authority;
    if (isOther) this.#desk.states.keep(session);
    this.rejudge(session, now);
    if (isOther && !isFinal(session.state)) {
      this.#desk.timers.set("authority", session.id, nextJudgement(session, now));
    }
  }

  /**
   * What an end has after a request: everything that the connection of its media shows. Another process of the agent changes nothing
   * by asking. Where requests have TLS connections of their own none can be told from such a one: there what is shown counts
   * as far as it prolongs what the end has, and takes nothing away.
   */
  #taken(leg: SessionLeg, connection: ConnectionState, now: number): Authority {
    const shown = shownBy(connection, now);
    if (leg.connection === connection.id) return renewed(leg.authority, shown);
    if (!leg.overTls || !isSeparate(connection)) return leg.authority;
    const longer = prolonged(leg.authority, shown);
    const agent = this.#desk.registry.get(leg.agent.agentId) ?? leg.agent;
    const scope = intersect(leg.scope, this.#desk.registry.grantedTo(agent, longer, leg.attached));
    return isSameScope(scope, leg.scope) ? longer : leg.authority;
  }

  /** Time for a session's next judgement. */
  due(session: Session, now: number): void {
    this.rejudge(session, now);
    if (isFinal(session.state)) return;
    this.#desk.timers.set("authority", session.id, nextJudgement(session, now));
  }

  /** Judges the sessions of agents whose documents or status have changed. What rings is judged by them as well; of one that may not act any more all of it stops, and the inbox. */
  followChanges(now: number): void {
    const { registry, inboxes } = this.#desk;
    for (const agentId of registry.takeChanged()) {
      const agent = registry.get(agentId);
      const alive = agent === undefined ? ok(undefined) : registry.alive(agent);
      if (!alive.ok) this.#ringing.agentGone(agentId, alive.fault, now);
      else if (agent !== undefined) this.#ringing.agentChanged(agent, now);
      for (const session of this.#affectedBy(agentId)) this.rejudge(session, now);
      if (alive.ok) continue;
      inboxes.end(agentId, alive.fault.code, now);
      const reason = agent?.status === "retired" ? "identity-revoked" : "agent-deactivated";
      this.#desk.outputs.push({ kind: "left-wanted", agentId, reason });
    }
  }

  /** Sessions that an agent takes part in, or acts in for another one. */
  #affectedBy(agentId: string): Session[] {
    const own = this.#table.of(agentId);
    if (this.#desk.config.gateways?.includes(agentId) !== true) return own;
    const isSigner = ({ signer }: SessionLeg) => signer.agentId === agentId;
    return [...own, ...this.#table.all().filter(({ legs }) => legs.some(isSigner))];
  }

  /** Judges both ends of a session as they stand: ends it, narrows what an end may do, or leaves everything as it is. */
  rejudge(session: Session, now: number): void {
    if (isFinal(session.state)) return;
    let isLess = false;
    for (const leg of session.legs) {
      const agent = this.#desk.registry.get(leg.agent.agentId) ?? leg.agent;
      const signer = this.#desk.registry.get(leg.signer.agentId) ?? leg.signer;
      const verdict = verdictOn(agent, leg.authority, this.#desk.certification, now) ?? standingOf(signer);
      if (verdict !== undefined) {
        this.#end(session, verdict, now);
        return;
      }
      const last = this.#judged.get(leg);
      const isSame =
        last?.agent === agent &&
        last.authority === leg.authority &&
        last.scope === leg.scope &&
        last.isHere === leg.attached;
      if (isSame) continue;
      const scope = intersect(leg.scope, this.#desk.registry.grantedTo(agent, leg.authority, leg.attached));
      const isNarrower = !isSameScope(scope, leg.scope);
      if (isNarrower) leg.scope = scope;
      this.#judged.set(leg, { agent, authority: leg.authority, scope: leg.scope, isHere: leg.attached });
      if (!isNarrower) continue;
      isLess = true;
      this.#narrow(session, leg, now);
    }
    if (!isLess) return;
    // T13 knows active sessions alone: another one cannot go on, and ends by its own deadline.
    if (!isCovered(session) && session.state === "active")
      this.#end(session, { trigger: "scope-violation" }, now);
  }

  /**
   * Ends every live session of an agent, or with an end that `who` picks; `reason` is what both ends are told and the final record says,
   * `undefined` the machine's own. A session in a state that `trigger` does not know ends as one whose identity was revoked. Gives how many ended.
   */
  endFor(
    who: string | ((leg: SessionLeg, session: Session) => boolean),
    trigger: SessionTrigger,
    reason: string | undefined,
    now: number,
  ): number {
    const sessions =
      typeof who === "string"
        ? this.#table.of(who)
        : this.#table.all().filter((session) => session.legs.some((leg) => who(leg, session)));
    const live = sessions.filter(({ state }) => !isFinal(state));
    const verdict = { trigger, ...(reason === undefined ? {} : { reason }) };
    for (const session of live) this.#end(session, verdict, now);
    return live.length;
  }

  /** The relay has told how far it had got, or did not (`undefined`): records what was narrowed and tells both ends. */
  counted(session: Session, counters: readonly FlowCounters[] | undefined, now: number): void {
    for (const { leg, scope, streams } of session.awaitingCounters.authority.splice(0)) {
      const { agentId } = session.legs[leg].agent;
      const last =
        counters === undefined ? {} : { streams: lastLetThrough(session, flowsOf(leg, streams), counters) };
      const facts = {
        ...{ leg, agent_id: agentId, scope: formatScopes(scope) },
        expires_at: Math.floor(session.expiresAt / 1000),
      };
      this.#desk.states.keep(session);
      this.#desk.replies.note(
        "authority-narrowed",
        { ...facts, ...last, by: "server" },
        session.link,
        [],
        now,
      );
      if (session.ending !== undefined) continue;
      for (const each of session.legs) {
        const event = {
          event: "authority-narrowed",
          sessionId: session.id,
          fields: { ...facts, by: "server" },
        };
        this.#desk.inboxes.post(each.agent.agentId, event, now, session.link);
      }
    }
  }

  /** The relay refuses from now on what the leg may not send any more; record and news follow when it has said how far it had got. */
  #narrow(session: Session, leg: SessionLeg, now: number): void {
    const own = session.flows.filter(({ speaker }) => speaker === leg.leg);
    for (const flow of own) {
      this.#desk.outputs.push({ kind: "admission", message: termsMessage(session, flow) });
    }
    this.#endings.shorten(session);
    const streams = own.map(({ stream }) => stream);
    session.awaitingCounters.authority.push({ leg: leg.leg, scope: leg.scope, streams });
    this.#endings.wantCounters(session, now);
    this.#desk.outputs.log("warn", "authority-narrowed", {
      sessionId: session.id,
      agentId: leg.agent.agentId,
      scope: formatScopes(leg.scope).join(" "),
    });
  }

  #end(session: Session, { trigger, reason }: Verdict, now: number): void {
    const legal = step(session.state, trigger).ok ? trigger : "identity-revoked";
    this.#endings.end(session, legal, "server", now, reason);
    this.#endings.finishIfComplete(session, now);
  }
}

/** True while either end may send anything that was agreed. */
export function isCovered(session: Session): boolean {
  const { flows } = session;
  // Streams that were closed were covered.
  return flows.length === 0 || flows.some((flow) => isPermitted(session, flow));
}

/** Why an agent may take part in no session at all, `undefined` where it may. */
function verdictOn(
  agent: RegisteredAgent,
  authority: Authority,
  certification: Certification,
  now: number,
): Verdict | undefined {
  const { certificate, grant } = authority;
  const stopped = standingOf(agent);
  if (stopped !== undefined) return stopped;
  const held = certificate === undefined ? ok(undefined) : certification.holds(certificate, now);
  // `certificate-expired`, `certificate-revoked`.
  if (!held.ok) return { trigger: "identity-revoked", reason: `certificate-${held.fault.details?.flaw}` };
  if (grant !== undefined && now > grant.expiresAt) {
    return { trigger: "scope-violation", reason: "token-expired" };
  }
  return undefined;
}

function standingOf({ status }: RegisteredAgent): Verdict | undefined {
  if (status === "retired") return { trigger: "identity-revoked" };
  return status === "suspended" ? { trigger: "agent-deactivated" } : undefined;
}

/** The same as far as it lasts longer than what there was. */
function prolonged(before: Authority, { certificate, grant }: Authority): Authority {
  const { certificate: oldCertificate, grant: oldGrant } = before;
  return renewed(before, {
    certificate:
      certificate !== undefined &&
      certificate.notAfter > (oldCertificate?.notAfter ?? Number.POSITIVE_INFINITY)
        ? certificate
        : undefined,
    grant:
      grant !== undefined && grant.expiresAt > (oldGrant?.expiresAt ?? Number.POSITIVE_INFINITY)
        ? grant
        : undefined,
  });
}

/** What an agent shows later stands beside what it showed before: nothing that was shown is lost by not showing it again. */
function renewed(before: Authority, shown: Authority): Authority {
  const certificate = shown.certificate ?? before.certificate;
  const grant = shown.grant ?? before.grant;
  const isSame = certificate === before.certificate && grant === before.grant;
  return isSame ? before : { certificate, grant };
}

function flowsOf(speaker: LegNumber, streams: readonly number[]) {
  return streams.map((stream) => ({ speaker, stream }));
}
