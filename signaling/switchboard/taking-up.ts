import type { JsonObject } from "../../codecs/canonical-json.ts";
import { encodePublicKey } from "../keys.ts";
import { formatScopes } from "../scope.ts";
import { isFinal } from "../session-machine.ts";
import type { ServerIdentity } from "./config.ts";
import { introduce, type Registry } from "./registry.ts";
import { keyInForce, legOf, peerOf, type Session, type SessionLeg } from "./session.ts";
import { gatewayFact, suspensionFacts } from "./session-results.ts";

/** What a process needs to go on with a session that it knows nothing of but its id, beside its identity key. */
export function agreementOf(
  session: Session,
  leg: SessionLeg,
  server: ServerIdentity,
  registry: Pick<Registry, "get">,
  now: number,
): JsonObject {
  const peer = peerOf(session, leg).signer;
  return {
    offer: session.offer.jws,
    answer: session.answer.jws,
    core: session.witness,
    server: { agent_id: server.agentId, key: encodePublicKey(server.signer.publicKey) },
    session_model: session.model,
    session_ttl: session.ttl,
    expires_at: Math.floor(session.expiresAt / 1000),
    authority_scope: formatScopes(leg.scope),
    // The documents that were agreed on, and how the agent stands now.
    peer: introduce({ ...peer, status: registry.get(peer.agentId)?.status ?? peer.status }, now),
    terms: session.terms,
    ...stepsOf(session),
    media_keys: byLeg(session, ({ mediaKeys }) => mediaKeys.map(({ jws }) => jws)),
    clocks: byLeg(session, ({ clock }) => clock),
    ...suspensionOf(session, leg),
  };
}

/** How a session stands for an end whose media flows again: what it may not have been told, since news wait in memory alone. */
export function presentState(session: Session, leg: SessionLeg): JsonObject {
  const peer = peerOf(session, leg);
  return {
    expires_at: Math.floor(session.expiresAt / 1000),
    authority_scope: formatScopes(leg.scope),
    peer_media_key: keyInForce(peer).jws,
    ...stepsOf(session),
    ...suspensionOf(session, leg),
  };
}

/** The agent's sessions that are not over, as the greeting of its inbox lists them: all, or those that `gateway` takes part in for it. */
export function liveSessions(
  sessions: readonly Session[],
  agentId: string,
  gateway?: { readonly agentId: string },
): JsonObject[] {
  return sessions.flatMap((session) => {
    const leg = legOf(session, agentId);
    if (leg === undefined || isFinal(session.state)) return [];
    if (gateway !== undefined && leg.signer.agentId !== gateway.agentId) return [];
    return [
      {
        session_id: session.id,
        leg: leg.leg,
        ...gatewayFact(leg),
        state: session.state,
        model: session.model,
        peer: peerOf(session, leg).agent.agentId,
        attach_seq: leg.attachSeq,
        attached: leg.attached,
        generation: keyInForce(leg).generation,
        expires_at: Math.floor(session.expiresAt / 1000),
      },
    ];
  });
}

/** What the terms in force follow from, beside offer and answer: narrowings by the number of the terms that each made, and the last change. */
function stepsOf({ narrowings, change }: Session): JsonObject {
  const inOrder = narrowings
    .filter((narrowing) => narrowing !== undefined)
    .toSorted((a, b) => a.number - b.number)
    .map(({ jws }) => jws);
  return {
    ...(inOrder.length === 0 ? {} : { narrowings: inOrder }),
    ...(change === undefined
      ? {}
      : { change: { change: change.change, acceptance: change.acceptance, number: change.number } }),
  };
}

/** Who suspended it is given the nonce again; it is told to nobody else. */
function suspensionOf(session: Session, leg: SessionLeg): JsonObject {
  const { suspension, state } = session;
  if (state !== "suspended" || suspension === undefined) return {};
  const isOwn = suspension.by === leg.agent.agentId && suspension.nonce !== undefined;
  const nonce = isOwn ? { resumption_nonce: suspension.nonce ?? "" } : {};
  return { suspension: { ...suspensionFacts(suspension), ...nonce } };
}

function byLeg(session: Session, of: (leg: SessionLeg) => JsonObject[string]): JsonObject {
  return { "0": of(session.legs[0]), "1": of(session.legs[1]) };
}
