import { FRAME_DOMAIN } from "../codecs/frame.ts";
import { ACCESS_TOKEN } from "./access-token.ts";
import { ANSWER } from "./answer.ts";
import { ATTRIBUTION } from "./attribution.ts";
import { CLOSING } from "./closing.ts";
import { SEAL } from "./evidence/lines.ts";
import { LIFE_EVENT } from "./life-events.ts";
import { MEDIA_KEY } from "./media-key.ts";
import { NARROWING } from "./narrowing.ts";
import { OFFER } from "./offer.ts";
import { PROOF } from "./proof.ts";
import { CORE_WITNESS } from "./session-core.ts";
import { TERMS_ACCEPTANCE, TERMS_CHANGE } from "./terms-change.ts";
import { TOMBSTONE } from "./tombstone.ts";

/** Which key signs: cold identity keys and issuers sign documents, media keys sign media and nothing else. */
export type KeyRole = "agent's identity key" | "agent's media key" | "server's identity key" | "issuer's key";

/** How the signature covers the object. */
export type Envelope =
  /** Compact JWS: the ASCII bytes of header, dot and payload. */
  | "JWS"
  /** Canonical JSON without the member that holds the signature. */
  | "member"
  /** The domain string, then raw bytes. */
  | "bytes";

/** One kind of signed object. */
export interface SignedObject {
  readonly name: string;
  readonly envelope: Envelope;
  /** The `typ` of a JWS, the member and value that tell a document's kind, or the domain string. */
  readonly mark: string;
  readonly key: KeyRole;
  /** What the signer says with it. */
  readonly says: string;
  /** For whom, and what ties it to that use. */
  readonly audience: string;
  /** Who judges it, and when. */
  readonly verifiers: string;
  /** Where it is made and judged. */
  readonly module: string;
}

/** Every object that Parley signs or judges, in the order a call meets them. `docs/wire-signed-objects.md` shows it. */
export const SIGNED_OBJECTS: readonly SignedObject[] = [
  {
    name: "Genesis",
    envelope: "member",
    mark: "agtp_genesis_version: agtp-genesis/1",
    key: "issuer's key",
    says: "this agent exists and holds this identity key; its hash is the Agent-ID",
    audience: "everybody, for good",
    verifiers: "server at registration, the other end before media, auditor",
    module: "signaling/genesis.ts",
  },
  {
    name: "identity document",
    envelope: "member",
    mark: "document_type: agtp-identity",
    key: "issuer's key",
    says: "what the agent may claim, and whether it is active",
    audience: "everybody, until the next version; names the Agent-ID",
    verifiers: "server at registration, the other end before media, auditor",
    module: "signaling/identity-document.ts",
  },
  {
    name: "possession proof",
    envelope: "JWS",
    mark: PROOF.typ,
    key: "agent's identity key",
    says: "this agent sends this request",
    audience:
      "one server: origin dialled, pinned certificate, the connection's nonce or TLS exporter, method, path, body",
    verifiers: "server, within 60 s, once",
    module: "signaling/proof.ts",
  },
  {
    name: "access token",
    envelope: "JWS",
    mark: ACCESS_TOKEN.typ,
    key: "issuer's key",
    says: "this agent may do so much here, for a while: never more than its documents say",
    audience: "the servers in `aud`, for the agent in `sub`, until `exp`, at most an hour",
    verifiers:
      "server, with the requests that bring it; issuers may sign with ES256 and RS256 as well, and agents for themselves",
    module: "signaling/access-token.ts",
  },
  {
    name: "media-key certificate",
    envelope: "JWS",
    mark: MEDIA_KEY.typ,
    key: "agent's identity key",
    says: "this agent's media in this call is signed by this key",
    audience: "participants and auditors of one call: offer_id, generation, validity",
    verifiers: "server at the offer and answer, the other end before media, auditor",
    module: "signaling/media-key.ts",
  },
  {
    name: "offer",
    envelope: "JWS",
    mark: OFFER.typ,
    key: "agent's identity key",
    says: "the caller proposes this call",
    audience: "one callee, while the offer stands: callee, offer_id, iat to exp",
    verifiers: "server at ESTABLISH, callee before it answers, auditor",
    module: "signaling/offer.ts",
  },
  {
    name: "answer",
    envelope: "JWS",
    mark: ANSWER.typ,
    key: "agent's identity key",
    says: "the callee takes this offer, so and so",
    audience: "one caller and one offer: offer_digest, session_id",
    verifiers: "server at CONFIRM, caller before media, auditor",
    module: "signaling/answer.ts",
  },
  {
    name: "core witness",
    envelope: "JWS",
    mark: CORE_WITNESS.typ,
    key: "server's identity key",
    says: "this server relays the session with this core",
    audience: "participants and auditors of one session: core_digest",
    verifiers: "both ends before media, auditor",
    module: "signaling/session-core.ts",
  },
  {
    name: "media frame",
    envelope: "bytes",
    mark: FRAME_DOMAIN,
    key: "agent's media key",
    says: "this leg spoke this, at this time and place of this stream",
    audience: "one session, leg and stream, which the verifier takes from its own table",
    verifiers: "server at admission, listener before playing, auditor with `--media`",
    module: "codecs/frame-signing.ts",
  },
  {
    name: "checkpoint",
    envelope: "bytes",
    mark: "\0parley checkpoint v1\0",
    key: "agent's media key",
    says: "these frames are what the speaker sent",
    audience: "one session, leg and stream; the checkpoint before it",
    verifiers: "server as it passes, listener, auditor",
    module: "codecs/checkpoint.ts",
  },
  {
    name: "receipt",
    envelope: "bytes",
    mark: "\0parley receipt v1\0",
    key: "agent's media key",
    says: "these frames arrived at the listener, and these were heard",
    audience: "one session, both legs and stream; the receipt before it",
    verifiers: "server as it passes, speaker, auditor",
    module: "codecs/receipt.ts",
  },
  {
    name: "narrowing",
    envelope: "JWS",
    mark: NARROWING.typ,
    key: "agent's identity key",
    says: "this end gives up part of its own scope, or closes streams, for the rest of the call",
    audience: "one session and leg: session_digest, leg, the number of the terms it makes",
    verifiers: "server at ADJUST and CLOSE, the other end when it is told, auditor",
    module: "signaling/narrowing.ts",
  },
  {
    name: "terms change",
    envelope: "JWS",
    mark: TERMS_CHANGE.typ,
    key: "agent's identity key",
    says: "this end wants other terms: profile, rates, video, redundancy, further streams",
    audience: "the other end of one session: session_digest, leg, the number of the terms it makes",
    verifiers: "server at ADJUST, OPEN and CONFIRM, the other end before it accepts, auditor",
    module: "signaling/terms-change.ts",
  },
  {
    name: "terms acceptance",
    envelope: "JWS",
    mark: TERMS_ACCEPTANCE.typ,
    key: "agent's identity key",
    says: "the other end agrees to that change",
    audience: "one session and change: session_digest, leg, change_digest",
    verifiers: "server at CONFIRM, who asked when it is told, auditor",
    module: "signaling/terms-change.ts",
  },
  {
    name: "interrupt",
    envelope: "bytes",
    mark: "\0parley interrupt v1\0",
    key: "agent's media key",
    says: "what was said on this stream until now is not to be heard any more",
    audience: "one session, signer, speaker and stream; the epoch before it",
    verifiers: "server at NOTIFY, the other end when it is told, auditor",
    module: "codecs/interrupt.ts",
  },
  {
    name: "closing statement",
    envelope: "JWS",
    mark: CLOSING.typ,
    key: "agent's identity key",
    says: "one end's last word: the last record it saw, and its totals",
    audience: "one session and leg: session_digest, leg",
    verifiers: "server at TERMINATE or NOTIFY, auditor",
    module: "signaling/closing.ts",
  },
  {
    name: "Attribution-Record",
    envelope: "JWS",
    mark: ATTRIBUTION.typ,
    key: "server's identity key",
    says: "what the server did, for whom, with what result",
    audience: "everybody; its place in the server's chain and in the session's",
    verifiers: "whoever asked, auditor",
    module: "signaling/attribution.ts",
  },
  {
    name: "event",
    envelope: "JWS",
    mark: LIFE_EVENT.typ,
    key: "server's identity key",
    says: "this record tells of a session's or an agent's life, and this event came before it",
    audience: "whoever follows what happens at the server: server, seq, previous_seq",
    verifiers: "receivers of webhooks, readers of `/events`",
    module: "signaling/life-events.ts",
  },
  {
    name: "tombstone",
    envelope: "JWS",
    mark: TOMBSTONE.typ,
    key: "server's identity key",
    says: "a record of this name was in this place and followed that one; what it said was erased",
    audience: "everybody; the record's place in the server's chain and in the session's",
    verifiers: "whoever asked, auditor",
    module: "signaling/tombstone.ts",
  },
  {
    name: "evidence seal",
    envelope: "JWS",
    mark: SEAL.typ,
    key: "server's identity key",
    says: "this is the whole file that the server gave out",
    audience: "one evidence file: session_id, lines, sha256",
    verifiers: "auditor",
    module: "signaling/evidence/lines.ts",
  },
];
