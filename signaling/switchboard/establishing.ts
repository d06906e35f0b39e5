import { encodeBase64url } from "../../codecs/base64url.ts";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { Answer } from "../answer.ts";
import { counterProposal } from "../negotiation.ts";
import type { Offer } from "../offer.ts";
import { SessionLink } from "../record-chain.ts";
import type { LogEntry } from "../record-log.ts";
import { type Modality, missingScopes, type ScopeSet, sendingScopes } from "../scope.ts";
import { excessOfTerms } from "../sending-limits.ts";
import { buildSessionCore, makeCoreWitness } from "../session-core.ts";
import { type SessionState, step } from "../session-machine.ts";
import type { ClockStatement } from "../stream-fields.ts";
import { deriveTerms, streamsSentBy } from "../terms.ts";
import { type ConnectionState, isSeparate } from "./connections.ts";
import type { Desk } from "./desk.ts";
import { admissionRow, layFlows } from "./flows.ts";
import { withinLimits } from "./limit-checks.ts";
import { type RegisteredAgent, statusBytes, warningsOf } from "./registry.ts";
import { RELAY } from "./relay-capabilities.ts";
import type { Exchange } from "./replies.ts";
import { artifact, gatewayOf, type LegNumber, type Session, type SessionLeg } from "./session.ts";
import { newLeg, newSession } from "./session-making.ts";
import { establishedHeaders, establishedResult } from "./session-results.ts";

/** Random bytes of a session id (`spec/agtp.md` 2.4). */
const SESSION_ID_BYTES = 32;
/** One end as it comes into a session. */
export interface Arrival {
  readonly agent: RegisteredAgent;
  /** As `SessionLeg.signer`. */
  readonly signer: RegisteredAgent;
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
 * evidence keeps in the log. Its lifetime is the lower of both ends' `duration-s` where that is less. Answers nobody. Faults: `scope-violation`,
 * `proposal-rejected`, `capacity`.
 */
export function establishSession(
  desk: Desk,
  agreed: { readonly offer: Offer; readonly answer: Answer; readonly ttl: number },
  arrivals: readonly [Arrival, Arrival],
  now: number,
): Result<Session> {
  const { offer, answer } = agreed;
  const terms = deriveTerms(offer, answer);
  const foreign = terms.streams.find(({ modality }) => RELAY[modality] === undefined);
  if (foreign !== undefined) {
    const explanation = `No ${foreign.modality} is carried here.`;
    return refuse("proposal-rejected", explanation, "answer.streams", {
      ...{ reason: "composition-impossible", explanation },
      counter_proposal: counterProposal(RELAY),
    });
  }
  for (const leg of [0, 1] as const) {
    const modalities = streamsSentBy(terms, leg).map((stream) => stream.modality);
    const allowed = checkSending(arrivals[leg].scope, modalities, leg === 0 ? "offer.scope" : "answer.scope");
    if (!allowed.ok) return allowed;
    const { limits } = arrivals[leg].scope;
    const within = withinLimits(excessOfTerms(terms, leg, limits), limits, leg === 0 ? "offer" : "answer");
    if (!within.ok) return within;
  }
  const ttl = Math.min(agreed.ttl, ...arrivals.map(({ scope }) => scope.limits["duration-s"] ?? agreed.ttl));
  const flows = layFlows(terms, [arrivals[0].connection, arrivals[1].connection]);
  if (!flows.ok) return flows;
  const { signer, agentId } = desk.identity;
  const core = buildSessionCore({ agentId, key: signer.publicKey }, offer, answer);
  const session = newSession(
    {
      legs: [
        arrivingLeg(0, arrivals[0], offer, terms.streams.length, now),
        arrivingLeg(1, arrivals[1], answer, terms.streams.length, now),
      ],
      ...{ offer, answer, core, terms, ttl, flows: flows.value },
      witness: makeCoreWitness(core, now, signer),
      link: new SessionLink(answer.payload.session_id),
      establishedAt: now,
      state: activated(),
    },
    now,
  );
  for (const flow of session.flows) {
    desk.outputs.push({
      kind: "admission",
      message: { kind: "install", row: admissionRow(session, flow) },
    });
  }
  desk.outputs.push({ kind: "append", entries: foundations(desk, session, now) });
  desk.states.keep(session);
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
  const connection = desk.connections.get(exchange.connection);
  // Where media has connections of its own, the record of its attachment names it.
  const attached = connection === undefined || isSeparate(connection) ? {} : { carrier: connection.carrier };
  desk.replies.answer(
    exchange,
    {
      result: establishedResult(session, leg, desk.identity),
      headers: establishedHeaders(session, leg),
      warnings: warningsOf(...session.legs.map(({ agent }) => agent)),
      final: true,
      event: "session-established",
      extra: {
        participants: session.legs.map(({ agent }) => agent.agentId),
        ...gatewaysOf(session),
        leg: leg.leg,
        ...attached,
      },
      sessionId: session.id,
      link: session.link,
    },
    now,
  );
}

/** Which gateways take part, as a record names them beside the agents. */
function gatewaysOf({ legs }: Session): JsonObject {
  const gateways = legs.flatMap((each) => {
    const gateway = gatewayOf(each);
    return gateway === undefined ? [] : [{ leg: each.leg, gateway: gateway.agentId }];
  });
  return gateways.length === 0 ? {} : { gateways };
}

function arrivingLeg(
  leg: LegNumber,
  { agent, signer, connection, scope }: Arrival,
  signed: Pick<Offer, "mediaKey"> & { readonly payload: { readonly clock: ClockStatement } },
  streams: number,
  now: number,
): SessionLeg {
  const overTls = isSeparate(connection);
  return {
    ...newLeg(
      { leg, agent, signer, scope, mediaKeys: [signed.mediaKey], clock: signed.payload.clock, streams },
      now,
    ),
    authority: connection.authority,
    connection: connection.id,
    overTls,
    attached: !overTls,
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
  for (const each of session.legs) {
    const { leg, agent, signer, authority } = each;
    const standing = statusBytes(agent, authority, now, gatewayOf(each));
    entries.push(
      artifact(session, "genesis", leg, signer.genesis.bytes),
      artifact(session, "identity-document", leg, signer.document.bytes),
      artifact(session, "agent-status", leg, standing),
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
