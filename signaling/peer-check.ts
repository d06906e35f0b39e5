import type { Fault, Result } from "../codecs/result.ts";
import { ok, refuse } from "../codecs/result.ts";
import type { Verifier } from "../codecs/signer.ts";
import { type Answer, readAnswer, verifyAnswer } from "./answer.ts";
import { type GatewayStatement, gatewayUnwanted } from "./gateway.ts";
import { type Genesis, readGenesis, verifyGenesis } from "./genesis.ts";
import { type IdentityDocument, readIdentityDocument } from "./identity-document.ts";
import { encodePublicKey, keyFingerprint } from "./keys.ts";
import type { MediaKey } from "./media-key.ts";
import { callerOf, type Offer, readOffer, verifyOffer } from "./offer.ts";
import { effectiveScope, type ScopeSet } from "./scope.ts";
import { checkSendingAuthority } from "./sending-authority.ts";
import {
  buildSessionCore,
  type ServerIdentity,
  type SessionCore,
  verifyCoreWitness,
} from "./session-core.ts";
import { deriveTerms, type Terms } from "./terms.ts";
import { isCurrent } from "./validity.ts";

/** The other end as the server presents it: byte-exact documents, believed only as far as they prove themselves. */
export interface PeerPresentation {
  readonly genesis: Uint8Array;
  readonly identityDocument: Uint8Array;
}

/** This end's own name and identity key (32 raw bytes). */
export interface OwnIdentity {
  readonly agentId: string;
  readonly publicKey: Uint8Array;
  /** Of a gateway: Agent-ID of the agent that it acts for here. */
  readonly onBehalfOf?: string | undefined;
}

/** The other end, checked: the agent itself, or a gateway that signs for it. */
export interface CheckedPeer {
  /** Of who signs. */
  readonly agentId: string;
  /** For whom it takes part, by its own word, where it is a gateway. */
  readonly gateway?: GatewayStatement | undefined;
  readonly genesis: Genesis;
  readonly identity: IdentityDocument;
  /** True when the issuer is among the anchors given; false when none were given. */
  readonly anchored: boolean;
  readonly mediaKey: MediaKey;
  /** What its documents and its own signature let it do. */
  readonly scope: ScopeSet;
}

/** A call that rings here, checked as far as an offer goes. */
export interface IncomingOffer {
  readonly offer: Offer;
  readonly caller: CheckedPeer;
}

/** A session this end may send and play frames in. */
export interface CheckedSession {
  readonly sessionId: string;
  /** This end's leg. */
  readonly leg: 0 | 1;
  /** 32 bytes. */
  readonly sessionDigest: Uint8Array;
  readonly core: SessionCore;
  readonly terms: Terms;
  readonly offer: Offer;
  readonly answer: Answer;
  /** This end's own media key as certified. */
  readonly mediaKey: MediaKey;
  readonly peer: CheckedPeer;
}

/** Judges a call before answering it. */
export interface IncomingOfferInput {
  readonly me: OwnIdentity;
  readonly offer: string;
  readonly caller: PeerPresentation;
  /** Issuer keys (32 raw bytes each) that are trusted. Absent: any issuer, and `anchored` is false. */
  readonly anchors?: readonly Uint8Array[] | undefined;
  /** Unix milliseconds. */
  readonly now: number;
}

/**
 * What the callee checks before it answers: the caller's Genesis against the Agent-ID that the offer names, its issuer,
 * its identity document, the offer's signature and media key, and that it is addressed to this agent. Faults:
 * `peer-untrusted`, `signature-invalid`, `certificate-invalid`, and those of `verifyOffer`.
 */
export function checkIncomingOffer(input: IncomingOfferInput, verifier: Verifier): Result<IncomingOffer> {
  const claimed = readOffer(input.offer);
  if (!claimed.ok) return claimed;
  const documents = checkDocuments(input.caller, claimed.value.caller, input.anchors, verifier);
  if (!documents.ok) return documents;
  const { genesis, identity } = documents.value;
  const offer = verifyOffer(
    input.offer,
    { publicKey: genesis.agentKey, caller: genesis.agentId, callee: nameOf(input.me), now: input.now },
    verifier,
  );
  if (!offer.ok) return offer;
  const scope = effectiveScope({
    claim: offer.value.scope,
    document: identity.scope,
    genesis: genesis.scope,
  });
  if (!scope.ok) return untrusted(scope.fault);
  const { mediaKey, payload } = offer.value;
  const { gateway } = payload;
  return ok({
    offer: offer.value,
    caller: {
      ...documents.value,
      ...{ agentId: genesis.agentId, mediaKey, scope: scope.value },
      ...(gateway === undefined ? {} : { gateway }),
    },
  });
}

/** What an end knows when the server says that a session stands. */
export interface SessionInput {
  /** 0 when this end called, 1 when it was called. */
  readonly leg: 0 | 1;
  readonly me: OwnIdentity;
  /** The Agent-ID dialled (leg 0), or the one that the checked offer named (leg 1): of the agent, whoever signs for it. */
  readonly peerAgentId: string;
  /** This end's own signed offer (leg 0) or answer (leg 1) as it was sent; the other one as presented. */
  readonly offer: string;
  readonly answer: string;
  readonly peer: PeerPresentation;
  /** The session id as presented. */
  readonly sessionId: string;
  /** The server's signed witness of the session core. */
  readonly witness: string;
  /** The server as this connection knows it. */
  readonly server: ServerIdentity;
  /** Issuer keys (32 raw bytes each) that are trusted. Absent: any issuer, and `peer.anchored` is false. */
  readonly anchors?: readonly Uint8Array[] | undefined;
  /** Unix milliseconds. */
  readonly now: number;
}

/**
 * What each end checks before it sends or plays a frame. The other end: Genesis hash against the Agent-ID expected (where a gateway signs for
 * that agent, and the caller takes gateways: its statement against that Agent-ID), issuer, identity document, authority for what it will send. The agreement: both signatures and media-key
 * certificates, that the answer is to this very offer and chooses within it, that this end's own part is its own. The
 * server: that the core rebuilt here is the one it witnessed.
 *
 * Faults: `peer-untrusted`, `signature-invalid`, `certificate-invalid`, `session-core-mismatch`.
 */
export function checkSession(input: SessionInput, verifier: Verifier): Result<CheckedSession> {
  const gateway = gatewayOf(input);
  if (!gateway.ok) return gateway;
  const signer = gateway.value === undefined ? input.peerAgentId : undefined;
  const documents = checkDocuments(input.peer, signer, input.anchors, verifier);
  if (!documents.ok) return documents;
  const { genesis, identity } = documents.value;
  const onBehalfOf = gateway.value?.subject;
  const peerEnd: OwnIdentity = { agentId: genesis.agentId, publicKey: genesis.agentKey, onBehalfOf };
  const [caller, callee] = input.leg === 0 ? [input.me, peerEnd] : [peerEnd, input.me];

  // It was current when it rang; ringing may have taken all of its time since.
  const offer = verifyOffer(
    input.offer,
    { publicKey: caller.publicKey, caller: caller.agentId, callee: nameOf(callee) },
    verifier,
  );
  if (!offer.ok) return agreementFault(offer.fault);
  if (callerOf(offer.value.payload) !== nameOf(caller))
    return refuse("session-core-mismatch", "A gateway calls for another agent.", "offer.gateway.subject");
  const answer = verifyAnswer(
    input.answer,
    {
      publicKey: callee.publicKey,
      gateway: callee.onBehalfOf === undefined ? undefined : callee.agentId,
      ...{ offer: offer.value, sessionId: input.sessionId, now: input.now },
    },
    verifier,
  );
  if (!answer.ok) return agreementFault(answer.fault);

  const peerSigned = input.leg === 0 ? answer.value : offer.value;
  const terms = deriveTerms(offer.value, answer.value);
  const scope = checkSendingAuthority({
    leg: input.leg === 0 ? 1 : 0,
    genesis,
    identity,
    claim: peerSigned.scope,
    terms,
  });
  if (!scope.ok) return untrusted(scope.fault);

  const core = buildSessionCore(input.server, offer.value, answer.value);
  const witness = verifyCoreWitness(
    input.witness,
    { digest: core.digest, serverKey: input.server.key },
    verifier,
  );
  if (!witness.ok) return witness;
  const peer: CheckedPeer = {
    ...documents.value,
    agentId: genesis.agentId,
    mediaKey: peerSigned.mediaKey,
    scope: scope.value,
    ...(gateway.value === undefined ? {} : { gateway: gateway.value }),
  };
  const mediaKey = input.leg === 0 ? offer.value.mediaKey : answer.value.mediaKey;
  for (const key of [mediaKey, peer.mediaKey]) {
    if (!isCurrent(key.notBefore / 1000, key.notAfter / 1000, input.now)) {
      return refuse("certificate-invalid", "A media key is not valid now.", "media_key.not_after");
    }
  }
  if (encodePublicKey(mediaKey.ed25519) === encodePublicKey(peer.mediaKey.ed25519)) {
    return refuse("certificate-invalid", "Both ends present the same media key.", "peer.media_key");
  }
  return ok({
    sessionId: input.sessionId,
    leg: input.leg,
    sessionDigest: core.digest,
    core,
    terms,
    offer: offer.value,
    answer: answer.value,
    mediaKey,
    peer,
  });
}

/** What the other end signed of being a gateway, not judged. Faults: `peer-untrusted` where this end called and takes none, or for another agent. */
function gatewayOf(input: SessionInput): Result<GatewayStatement | undefined> {
  const offer = readOffer(input.offer);
  const signed = input.leg === 0 ? readAnswer(input.answer) : offer;
  // What cannot be read is refused where it is judged.
  if (!signed.ok || signed.value.gateway === undefined) return ok(undefined);
  const { gateway } = signed.value;
  if (input.leg === 0 && offer.ok && offer.value.gateways !== true) return gatewayUnwanted("answer.gateway");
  if (gateway.subject === input.peerAgentId) return ok(gateway);
  return refuse("peer-untrusted", "The gateway acts for another agent.", "gateway.subject");
}

/** The agent that an end is, or acts for. */
function nameOf({ agentId, onBehalfOf }: OwnIdentity): string {
  return onBehalfOf ?? agentId;
}

type CheckedDocuments = Pick<CheckedPeer, "genesis" | "identity" | "anchored">;

function checkDocuments(
  peer: PeerPresentation,
  agentId: string | undefined,
  anchors: readonly Uint8Array[] | undefined,
  verifier: Verifier,
): Result<CheckedDocuments> {
  // A gateway's own Agent-ID is expected by nobody: its signatures and its issuer are what count.
  const genesis =
    agentId === undefined
      ? readGenesis(peer.genesis, verifier)
      : verifyGenesis(peer.genesis, agentId, verifier);
  if (!genesis.ok) return untrusted(genesis.fault);
  const issuer = encodePublicKey(genesis.value.issuerKey);
  if (anchors !== undefined && !anchors.some((anchor) => encodePublicKey(anchor) === issuer)) {
    return refuse(
      "peer-untrusted",
      "The issuer of the other end's Genesis is not trusted here.",
      "genesis.issuer",
      {
        reason: "issuer-untrusted",
        issuer: genesis.value.issuer,
        fingerprint: keyFingerprint(genesis.value.issuerKey),
      },
    );
  }
  const identity = readIdentityDocument(peer.identityDocument, genesis.value, verifier);
  if (!identity.ok) return untrusted(identity.fault);
  const { status } = identity.value;
  if (status === "suspended" || status === "retired") {
    return refuse("peer-untrusted", `The other end is ${status}.`, "identity_document.status", { status });
  }
  return ok({ genesis: genesis.value, identity: identity.value, anchored: anchors !== undefined });
}

function untrusted(fault: Fault): ReturnType<typeof refuse> {
  return refuse("peer-untrusted", fault.message, fault.at, { ...fault.details, reason: fault.code });
}

/** A signed object that holds and says something else than was agreed is the server's misrepresentation. */
function agreementFault(fault: Fault): ReturnType<typeof refuse> {
  if (fault.code === "signature-invalid" || fault.code === "certificate-invalid") return { ok: false, fault };
  return refuse("session-core-mismatch", fault.message, fault.at, { ...fault.details, reason: fault.code });
}
