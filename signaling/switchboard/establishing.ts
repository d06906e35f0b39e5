import { encodeBase64url } from "../../codecs/base64url.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { Answer } from "../answer.ts";
import type { Offer } from "../offer.ts";
import { SessionLink } from "../record-chain.ts";
import type { LogEntry } from "../record-log.ts";
import { type Modality, missingScopes, type ScopeSet, sendingScopes } from "../scope.ts";
import { buildSessionCore, makeCoreWitness } from "../session-core.ts";
import { type SessionState, step } from "../session-machine.ts";
import type { ClockStatement } from "../stream-fields.ts";
import { deriveTerms, streamsSentBy } from "../terms.ts";
import { Allowance } from "./allowance.ts";
import { type ConnectionState, isSeparate } from "./connections.ts";
import type { Desk } from "./desk.ts";
import { admissionRow, layFlows } from "./flows.ts";
import { type RegisteredAgent, statusBytes, warningsOf } from "./registry.ts";
import type { Exchange } from "./replies.ts";
import { artifact, type LegNumber, type Session, type SessionLeg } from "./session.ts";
import { establishedHeaders, establishedResult } from "./session-results.ts";

/** Random bytes of a session id (`spec/agtp.md` 2.4). */
const SESSION_ID_BYTES = 32;
/** `frames_refused` events a second of one session; further refusals are added to the next one. */
const REPORT_RATE = { perSecond: 10, burst: 10 };
/** Narrowings, interrupts, suspensions, resumptions and connections for media a second of one end of a session, many times what people do; beyond: 429 `rate-limited`. */
const STEERING_RATE = { perSecond: 10, burst: 40 };

/** One end as it comes into a session. */
interface Arrival {
  readonly agent: RegisteredAgent;
  readonly connection: ConnectionState;
  readonly scope: ScopeSet;
}

/** A fresh session id. */
export function newSessionId(random: (n: number) => Uint8Array): string {
  return `sess-${encodeBase64url(random(SESSION_ID_BYTES))}`;
}

/** Refuses (`scope-violation`) when `scope` does not let the leg send what the modalities take. */
export function checkSending(scope: ScopeSet, modalities: readonly Modality[], at: string): Result<void> {
  const needed = { grants: [...new Set(modalities.flatMap(sendingScopes))], limits: {} };
  const missing = missingScopes(scope, needed);
  if (missing.length === 0) return ok(undefined);
  return refuse("scope-violation", "The effective scope does not let this end send.", at, {
    missing_scopes: missing,
  });
}

/**
 * Makes the session that a verified offer and answer agree on: core and witness, flows in the relay, and everything the
 * evidence keeps in the log. Answers nobody. Faults: `scope-violation`, `capacity`.
 */
export function establishSession(
  desk: Desk,
  agreed: { readonly offer: Offer; readonly answer: Answer; readonly ttl: number },
  arrivals: readonly [Arrival, Arrival],
  now: number,
): Result<Session> {
  const { offer, answer, ttl } = agreed;
  const terms = deriveTerms(offer, answer);
  for (const leg of [0, 1] as const) {
    const modalities = streamsSentBy(terms, leg).map((stream) => stream.modality);
    const allowed = checkSending(arrivals[leg].scope, modalities, leg === 0 ? "offer.scope" : "answer.scope");
    if (!allowed.ok) return allowed;
  }
  const flows = layFlows(terms, [arrivals[0].connection, arrivals[1].connection]);
  if (!flows.ok) return flows;
  const { signer, agentId } = desk.identity;
  const core = buildSessionCore({ agentId, key: signer.publicKey }, offer, answer);
  const session: Session = {
    id: answer.payload.session_id,
    model: offer.payload.session.model,
    legs: [sessionLeg(0, arrivals[0], offer, now), sessionLeg(1, arrivals[1], answer, now)],
    offer,
    answer,
    core,
    witness: makeCoreWitness(core, now, signer),
    terms,
    flows: flows.value,
    epochs: new Map(),
    leastSequences: new Map(),
    narrowings: [undefined, undefined],
    link: new SessionLink(answer.payload.session_id),
    establishedAt: now,
    ttl,
    expiresAt: now + ttl * 1000,
    reportAllowance: new Allowance(REPORT_RATE, now),
    reports: new Map(),
    state: activated(),
    artifacts: 0,
    statementsDropped: {},
    lastActivity: now,
    admittedFrames: 0,
    counters: [],
    ending: undefined,
    suspension: undefined,
    noncesRefused: 0,
    awaitingCounters: { idle: false, final: false, queries: [], steering: [], attaching: [], authority: [] },
  };
  for (const flow of session.flows) {
    desk.outputs.push({
      kind: "admission",
      message: { kind: "install", row: admissionRow(session, flow) },
    });
  }
  desk.outputs.push({ kind: "append", entries: foundations(desk, session, now) });
  return ok(session);
}

/** Tells an end that its session is established, in the session's chain. The same again for a repeated request. */
export function answerEstablished(
  desk: Desk,
  exchange: Exchange,
  session: Session,
  leg: SessionLeg,
  now: number,
): void {
  desk.replies.answer(
    exchange,
    {
      result: establishedResult(session, leg, desk.identity),
      headers: establishedHeaders(session, leg),
      warnings: warningsOf(...session.legs.map(({ agent }) => agent)),
      final: true,
      event: "session-established",
      extra: { participants: session.legs.map(({ agent }) => agent.agentId) },
      sessionId: session.id,
      link: session.link,
    },
    now,
  );
}

function sessionLeg(
  leg: LegNumber,
  arrival: Arrival,
  signed: Pick<Offer, "mediaKey"> & { readonly payload: { readonly clock: ClockStatement } },
  now: number,
): SessionLeg {
  const { agent, connection, scope } = arrival;
  return {
    leg,
    agent,
    authority: connection.authority,
    mediaKeys: [signed.mediaKey],
    clock: signed.payload.clock,
    scope,
    connection: connection.id,
    overTls: isSeparate(connection),
    attached: !isSeparate(connection),
    attachSeq: 0,
    detachedAt: undefined,
    heardAt: now,
    steeringAllowance: new Allowance(STEERING_RATE, now),
    statementBytes: 0,
    hasClosed: false,
    waiting: [],
  };
}

/** All checks have passed by now: T1, then T2. */
function activated(): SessionState {
  const establishing = step("none", "establish");
  const active = establishing.ok ? step(establishing.value.to, "checks-passed") : establishing;
  return active.ok ? active.value.to : "rejected";
}

/** What the evidence is built on, numbered in the order it stands. */
function foundations(desk: Desk, session: Session, now: number): LogEntry[] {
  const entries = [
    artifact(session, "genesis", undefined, desk.identity.genesis),
    artifact(session, "identity-document", undefined, desk.identity.identityDocument),
  ];
  for (const { leg, agent } of session.legs) {
    entries.push(
      artifact(session, "genesis", leg, agent.genesis.bytes),
      artifact(session, "identity-document", leg, agent.document.bytes),
      artifact(session, "agent-status", leg, statusBytes(agent, now)),
    );
  }
  entries.push(
    artifact(session, "offer", 0, encoder.encode(session.offer.jws)),
    artifact(session, "answer", 1, encoder.encode(session.answer.jws)),
    artifact(session, "core", undefined, session.core.bytes),
    artifact(session, "core-witness", undefined, encoder.encode(session.witness)),
  );
  return entries;
}

const encoder = new TextEncoder();
