import type { JsonObject } from "../../codecs/canonical-json.ts";
import type { HeaderField } from "../../codecs/headers.ts";
import type { FlowCounters } from "../admission.ts";
import { encodePublicKey } from "../keys.ts";
import { supportedMethods } from "../paths.ts";
import { formatScopes, scopeHeader } from "../scope.ts";
import { formatUtc } from "../utc-time.ts";
import type { ServerIdentity } from "./config.ts";
import { streamParameters, streamParametersHeader } from "./flows.ts";
import { introduce } from "./registry.ts";
import { gatewayOf, peerOf, type Session, type SessionLeg, type Suspension } from "./session.ts";

/** What an end is told when its session is established: the caller in its 200 to ESTABLISH, the callee to CONFIRM. */
export function establishedResult(session: Session, leg: SessionLeg, server: ServerIdentity): JsonObject {
  const shared: JsonObject = {
    session_id: session.id,
    session_model: session.model,
    session_ttl: session.ttl,
    expires_at: Math.floor(session.expiresAt / 1000),
    authority_scope: formatScopes(leg.scope),
    peer_authority_scope: formatScopes(peerOf(session, leg).scope),
    core: session.witness,
    server: { agent_id: server.agentId, key: encodePublicKey(server.signer.publicKey) },
    streams: streamParameters(session.flows, leg.leg),
    // Its media has a connection of its own to come: `peer-attached` tells when.
    ...(peerOf(session, leg).attached ? {} : { peer_attached: false }),
  };
  if (leg.leg === 1) return shared;
  return {
    ...shared,
    answer: session.answer.jws,
    peer: introduce(peerOf(session, leg).signer, session.establishedAt),
  };
}

/** The headers that go with it (`spec/agtp.md` 1.6). */
export function establishedHeaders(session: Session, leg: SessionLeg): HeaderField[] {
  const { streams } = session.terms;
  const modalities = streams.map(({ modality }) => modality);
  const codecs = (modality: "audio" | "video") =>
    streams.flatMap((stream) => (stream.modality === modality ? [stream.codec.name] : []));
  const agreed = { audio: codecs("audio"), video: codecs("video") };
  const formats = streams.flatMap((stream) => (stream.modality === "data" ? [stream.format.name] : []));
  return [
    ["Authority-Scope", scopeHeader(leg.scope)],
    ["Supported-Methods", supportedMethods("/sessions")],
    ["Communication-Modalities", distinctWords(modalities)],
    ...(agreed.audio.length === 0 ? [] : [["Audio-Codec", distinctWords(agreed.audio)] as const]),
    ...(agreed.video.length === 0 ? [] : [["Video-Codec", distinctWords(agreed.video)] as const]),
    ...(formats.length === 0 ? [] : [["Data-Formats", distinctWords(formats)] as const]),
    ["Stream-Parameters", streamParametersHeader(streamParameters(session.flows, leg.leg))],
  ];
}

/** Answer to QUERY of a session. */
export function sessionResult(session: Session): JsonObject {
  return {
    session_id: session.id,
    state: session.state,
    session_model: session.model,
    expires_at: Math.floor(session.expiresAt / 1000),
    terms: session.terms,
    participants: session.legs.map((leg) => ({
      leg: leg.leg,
      agent_id: leg.agent.agentId,
      ...gatewayFact(leg),
      authority_scope: formatScopes(leg.scope),
      attached: leg.attached,
    })),
    counters: [...session.pastCounters, ...session.counters.map(countersJson)],
    ...(session.state === "suspended" && session.suspension !== undefined
      ? { suspension: suspensionFacts(session.suspension) }
      : {}),
    ...(session.ending === undefined ? {} : { reason: session.ending.reason, by: session.ending.by }),
  };
}

/** Which gateway acts for the agent of a leg. */
export function gatewayFact(leg: Pick<SessionLeg, "agent" | "signer">): JsonObject {
  const gateway = gatewayOf(leg);
  return gateway === undefined ? {} : { gateway: gateway.agentId };
}

/** What everybody may know of a suspension: all but its nonce. */
export function suspensionFacts({ id, by, reason, resumeBy }: Suspension): JsonObject {
  return {
    suspension_id: id,
    by,
    ...(reason === undefined ? {} : { reason }),
    resume_by: formatUtc(resumeBy),
  };
}

/** Counters as JSON: members without a value are left out. */
export function countersJson(counters: FlowCounters): JsonObject {
  const { refused, dropped } = counters;
  return { ...withValue(counters), refused: withValue(refused), dropped: withValue(dropped) };
}

function distinctWords(words: readonly string[]): string {
  return [...new Set(words)].join(", ");
}

function withValue(members: object): JsonObject {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}
