/** Two agents, a server and everything they sign to set up a call, from fixed seeds and a fixed time. */
import { encodeHex } from "../codecs/hex.ts";
import type { Result } from "../codecs/result.ts";
import type { Signer } from "../codecs/signer.ts";
import { type Answer, type AnswerPayload, makeAnswer, verifyAnswer } from "../signaling/answer.ts";
import { createGenesis, type Genesis, type GenesisFields } from "../signaling/genesis.ts";
import {
  createIdentityDocument,
  type IdentityDocument,
  type IdentityFields,
} from "../signaling/identity-document.ts";
import { type MediaKeyFields, makeMediaKey } from "../signaling/media-key.ts";
import { makeOffer, type Offer, type OfferPayload, verifyOffer } from "../signaling/offer.ts";
import { parseScopes, type ScopeSet } from "../signaling/scope.ts";
import { buildSessionCore, makeCoreWitness, type SessionCore } from "../signaling/session-core.ts";
import { seedSigner, strictVerifier } from "./keys.ts";

/** 2026-01-01T00:00:00Z, Unix milliseconds: when everything here is signed. */
export const CALL_TIME = 1_767_225_600_000;
export const CALL_SECONDS = CALL_TIME / 1000;
export const OFFER_ID = "019b76da-a800-7000-8000-000000000001";
export const SESSION_ID = `sess-${"A".repeat(43)}`;
export const ZERO_DIGEST = "0".repeat(64);

/** Somebody with an identity key, a media key, a Genesis and an identity document issued by itself. */
export interface TestAgent {
  readonly identity: Signer;
  readonly media: Signer;
  /** An X25519 public key, 32 bytes. */
  readonly exchangeKey: Uint8Array;
  readonly genesis: Genesis;
  readonly document: IdentityDocument;
}

/** Keys come from the seeds `byte` (identity) and `byte + 0x10` (media). */
export function testAgent(
  name: string,
  byte: number,
  changes: { genesis?: Partial<GenesisFields>; document?: Partial<IdentityFields>; issuer?: Signer } = {},
): TestAgent {
  const identity = seedSigner(byte);
  const issuer = changes.issuer ?? identity;
  const genesis = createGenesis(
    {
      name,
      ownerId: "example.org",
      principalId: "example.org",
      archetype: "assistant",
      governanceZone: "zone:test",
      scope: scopes("communication:audio:*, communication:data:*"),
      trustTier: 2,
      verificationPath: "org-asserted",
      issuedAt: CALL_TIME - 86_400_000,
      issuer: "example.org",
      ...changes.genesis,
    },
    identity.publicKey,
    issuer,
    strictVerifier,
  );
  const document = createIdentityDocument(
    {
      name,
      description: `The agent ${name}.`,
      principal: "Example",
      status: "active",
      methods: ["ESTABLISH", "CONFIRM", "TERMINATE"],
      capabilities: ["voice"],
      scope: scopes("communication:audio:capture, communication:audio:transmit"),
      trustScore: 0.5,
      issuedAt: CALL_TIME - 86_400_000,
      updatedAt: CALL_TIME - 86_400_000,
      ...changes.document,
    },
    genesis,
    issuer,
    strictVerifier,
  );
  return {
    identity,
    media: seedSigner(byte + 0x10),
    exchangeKey: new Uint8Array(32).fill(byte + 0x20),
    genesis,
    document,
  };
}

export const ALICE: TestAgent = testAgent("alice", 1);
export const BOB: TestAgent = testAgent("bob", 2);
/** The server is an agent too. */
export const SERVER: TestAgent = testAgent("parley", 3);
export const SERVER_IDENTITY = { agentId: SERVER.genesis.agentId, key: SERVER.identity.publicKey };

/** A media-key certificate of `agent` for the call. */
export function mediaKey(
  agent: TestAgent,
  changes: Partial<MediaKeyFields> = {},
  signer = agent.identity,
): string {
  return makeMediaKey(
    {
      agentId: agent.genesis.agentId,
      offerId: OFFER_ID,
      ed25519: agent.media.publicKey,
      x25519: agent.exchangeKey,
      generation: 0,
      notBefore: CALL_TIME - 60_000,
      notAfter: CALL_TIME + 3_600_000,
      ...changes,
    },
    signer,
  );
}

/** Alice's offer to Bob, unsigned. */
export function offerPayload(changes: Partial<OfferPayload> = {}): OfferPayload {
  return {
    v: 1,
    offer_id: OFFER_ID,
    caller: ALICE.genesis.agentId,
    callee: BOB.genesis.agentId,
    media_key: mediaKey(ALICE),
    session: { model: "bounded", ttl: 600 },
    scope: ["communication:audio:capture", "communication:audio:transmit"],
    profiles: ["frame"],
    streams: [
      {
        stream: 0,
        modality: "audio",
        direction: "sendrecv",
        ssrc: 0x0a11ce,
        codecs: [
          { name: "opus", clock_rate: 48_000, channels: 1, frame_ms: [20, 10], payload_type: 111 },
          { name: "pcmu", clock_rate: 8_000, channels: 1, frame_ms: [20], payload_type: 0 },
        ],
      },
    ],
    clock: { offset_ms: 1.5, uncertainty_ms: 0.25 },
    last_audit_id: ZERO_DIGEST,
    iat: CALL_SECONDS,
    exp: CALL_SECONDS + 60,
    ...changes,
  };
}

export function signedOffer(changes: Partial<OfferPayload> = {}, signer = ALICE.identity): string {
  return makeOffer(offerPayload(changes), signer);
}

/** Alice's offer as Bob and the server verified it. */
export const OFFER: Offer = must(
  verifyOffer(
    signedOffer(),
    { publicKey: ALICE.identity.publicKey, caller: ALICE.genesis.agentId, now: CALL_TIME },
    strictVerifier,
  ),
);

/** Bob's answer to {@link OFFER}, unsigned. */
export function answerPayload(changes: Partial<AnswerPayload> = {}): AnswerPayload {
  return {
    v: 1,
    session_id: SESSION_ID,
    offer_digest: OFFER.digest,
    caller: ALICE.genesis.agentId,
    callee: BOB.genesis.agentId,
    media_key: mediaKey(BOB),
    scope: ["communication:audio:capture", "communication:audio:transmit"],
    profile: "frame",
    streams: [
      {
        stream: 0,
        modality: "audio",
        direction: "sendrecv",
        ssrc: 0x000b0b,
        codec: { name: "opus", clock_rate: 48_000, channels: 1, frame_ms: 20, payload_type: 111 },
      },
    ],
    clock: { offset_ms: -2, uncertainty_ms: 0.5 },
    last_audit_id: ZERO_DIGEST,
    iat: CALL_SECONDS + 5,
    ...changes,
  };
}

export function signedAnswer(changes: Partial<AnswerPayload> = {}, signer = BOB.identity): string {
  return makeAnswer(answerPayload(changes), signer);
}

/** Bob's answer as Alice and the server verified it. */
export const ANSWER: Answer = must(
  verifyAnswer(
    signedAnswer(),
    { publicKey: BOB.identity.publicKey, offer: OFFER, sessionId: SESSION_ID, now: CALL_TIME + 5000 },
    strictVerifier,
  ),
);

export const CORE: SessionCore = buildSessionCore(SERVER_IDENTITY, OFFER, ANSWER);
export const CORE_DIGEST: string = encodeHex(CORE.digest);
export const WITNESS: string = makeCoreWitness(CORE, CALL_TIME + 5000, SERVER.identity);

/** The scope that `text` spells. */
export function scopes(text: string): ScopeSet {
  return must(parseScopes(text));
}

/** The value of a result that must be good. */
export function must<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(`${result.fault.code} at ${result.fault.at}: ${result.fault.message}`);
  return result.value;
}
