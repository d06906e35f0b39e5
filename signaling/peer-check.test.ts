import { describe, expect, test } from "vitest";
import { seedSigner, strictVerifier } from "../test/keys.ts";
import {
  ALICE,
  ANSWER,
  BOB,
  CALL_SECONDS,
  CALL_TIME,
  CORE,
  mediaKey,
  must,
  OFFER,
  OFFER_ID,
  offerPayload,
  SERVER,
  SERVER_IDENTITY,
  SESSION_ID,
  scopes,
  signedAnswer,
  signedOffer,
  type TestAgent,
  testAgent,
  WITNESS,
} from "../test/signed-call.ts";
import { type Answer, verifyAnswer } from "./answer.ts";
import { type Offer, verifyOffer } from "./offer.ts";
import {
  checkIncomingOffer,
  checkSession,
  type IncomingOfferInput,
  type PeerPresentation,
  type SessionInput,
} from "./peer-check.ts";
import { buildSessionCore, makeCoreWitness, type ServerIdentity } from "./session-core.ts";

const MALLORY = testAgent("mallory", 7);
const documents = (agent: TestAgent): PeerPresentation => ({
  genesis: agent.genesis.bytes,
  identityDocument: agent.document.bytes,
});
const own = (agent: TestAgent) => ({ agentId: agent.genesis.agentId, publicKey: agent.identity.publicKey });

const asCaller: SessionInput = {
  leg: 0,
  me: own(ALICE),
  peerAgentId: BOB.genesis.agentId,
  offer: OFFER.jws,
  answer: ANSWER.jws,
  peer: documents(BOB),
  sessionId: SESSION_ID,
  witness: WITNESS,
  server: SERVER_IDENTITY,
  now: CALL_TIME + 5500,
};
const asCallee: SessionInput = {
  ...asCaller,
  leg: 1,
  me: own(BOB),
  peerAgentId: ALICE.genesis.agentId,
  peer: documents(ALICE),
};
const check = (input: SessionInput) => checkSession(input, strictVerifier);

describe("a session that stands", () => {
  test("is the same for both ends, each with its own leg and the other's keys", () => {
    const caller = must(check(asCaller));
    const callee = must(check(asCallee));
    for (const end of [caller, callee]) {
      expect(end).toMatchObject({
        sessionId: SESSION_ID,
        sessionDigest: CORE.digest,
        core: CORE,
        offer: OFFER,
        answer: ANSWER,
      });
    }
    expect(callee.terms).toEqual(caller.terms);
    expect(caller).toMatchObject({ leg: 0, mediaKey: { ed25519: ALICE.media.publicKey } });
    expect(callee).toMatchObject({ leg: 1, mediaKey: { ed25519: BOB.media.publicKey } });
    expect(caller.peer).toMatchObject({
      agentId: BOB.genesis.agentId,
      genesis: BOB.genesis,
      identity: BOB.document,
      mediaKey: { ed25519: BOB.media.publicKey, x25519: BOB.exchangeKey, agentId: BOB.genesis.agentId },
      anchored: false,
      scope: scopes("communication:audio:capture, communication:audio:transmit"),
    });
    expect(callee.peer).toMatchObject({
      agentId: ALICE.genesis.agentId,
      mediaKey: { ed25519: ALICE.media.publicKey },
    });
  });

  test("though ringing outlasted the offer", () => {
    const answer = signedAnswer({ iat: CALL_SECONDS + 60 });
    const now = CALL_TIME + 100_000;
    expect(check({ ...asCaller, ...agreed({ answer }), now }).ok).toBe(true);
  });
});

describe("anchors", () => {
  test("that hold the issuer make the peer anchored", () => {
    const anchors = [MALLORY.identity.publicKey, BOB.identity.publicKey];
    expect(must(check({ ...asCaller, anchors })).peer.anchored).toBe(true);
  });

  test.each([[[]], [[ALICE.identity.publicKey, seedSigner(99).publicKey]]])(
    "that do not hold it refuse the peer",
    (anchors) => {
      expect(check({ ...asCaller, anchors })).toMatchObject({
        fault: {
          code: "peer-untrusted",
          details: {
            reason: "issuer-untrusted",
            issuer: "example.org",
            fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
          },
        },
      });
    },
  );
});

describe("a relay that lies about who is there", () => {
  test.each<[what: string, changes: Partial<SessionInput>]>([
    ["another agent than the one dialled", { peer: documents(MALLORY) }],
    ["another agent's Genesis", { peer: { ...documents(BOB), genesis: MALLORY.genesis.bytes } }],
    [
      "another agent's identity document",
      { peer: { ...documents(BOB), identityDocument: MALLORY.document.bytes } },
    ],
    ["a Genesis of no meaning", { peer: { ...documents(BOB), genesis: new Uint8Array([123, 125]) } }],
    ["a document of no meaning", { peer: { ...documents(BOB), identityDocument: new Uint8Array(0) } }],
  ])("%s", (_what, changes) => {
    expect(check({ ...asCaller, ...changes })).toMatchObject({ fault: { code: "peer-untrusted" } });
  });

  test.each(["suspended", "retired"] as const)("an agent that is %s", (status) => {
    const bob = testAgent("bob", 2, { document: { status } });
    expect(check({ ...asCaller, peer: documents(bob) })).toMatchObject({
      fault: { code: "peer-untrusted", details: { status } },
    });
  });

  test("a deprecated agent still serves", () => {
    const bob = testAgent("bob", 2, { document: { status: "deprecated" } });
    expect(check({ ...asCaller, peer: documents(bob) }).ok).toBe(true);
  });

  test("mallory's answer in Bob's name, however she signs it", () => {
    for (const signer of [MALLORY.identity, BOB.media, SERVER.identity]) {
      expect(check({ ...asCaller, answer: signedAnswer({}, signer) })).toMatchObject({
        fault: { code: "signature-invalid" },
      });
    }
  });

  test("an offer in the caller's name that she never signed", () => {
    expect(check({ ...asCallee, offer: signedOffer({}, MALLORY.identity) })).toMatchObject({
      fault: { code: "signature-invalid" },
    });
  });
});

describe("media keys", () => {
  test.each<[what: string, key: string]>([
    ["of another call", mediaKey(BOB, { offerId: OFFER_ID.replace(/1$/, "2") })],
    ["of another agent", mediaKey(MALLORY)],
    ["that mallory certified in Bob's name", mediaKey(BOB, {}, MALLORY.identity)],
    ["that are over", mediaKey(BOB, { notAfter: CALL_TIME - 50_000 })],
    ["that are not yet", mediaKey(BOB, { notBefore: CALL_TIME + 60_000 })],
  ])("%s", (_what, media_key) => {
    expect(check({ ...asCaller, answer: signedAnswer({ media_key }) })).toMatchObject({
      fault: { code: "certificate-invalid" },
    });
  });

  test("of the caller that are over when the callee looks", () => {
    const offer = signedOffer({ media_key: mediaKey(ALICE, { notAfter: CALL_TIME - 40_000 }) });
    expect(check({ ...asCallee, ...agreed({ offer }) })).toMatchObject({
      fault: { code: "certificate-invalid" },
    });
  });

  test("that are one and the same on both legs", () => {
    const answer = signedAnswer({ media_key: mediaKey(BOB, { ed25519: ALICE.media.publicKey }) });
    expect(check({ ...asCaller, ...agreed({ answer }) })).toMatchObject({
      fault: { code: "certificate-invalid" },
    });
  });
});

describe("an agreement that is not the one made", () => {
  const other = signedOffer({ session: { model: "bounded", ttl: 86_400 } });
  const stream = ANSWER.payload.streams[0];
  if (stream?.modality !== "audio") throw new Error("the answer has an audio stream");

  test.each<[what: string, changes: Partial<SessionInput>]>([
    ["an answer to another of my offers", { offer: other }],
    ["an answer for another session", { answer: signedAnswer({ session_id: `sess-${"B".repeat(43)}` }) }],
    ["a profile I did not offer", { answer: signedAnswer({ profile: "chain" }) }],
    [
      "a codec I did not offer",
      { answer: signedAnswer({ streams: [{ ...stream, codec: { ...stream.codec, name: "g722" } }] }) },
    ],
    ["a scope I did not offer", { answer: signedAnswer({ scope: ["communication:video:capture"] }) }],
    ["an old answer", { now: CALL_TIME + 400_000 }],
    [
      "a witness of another core",
      { witness: makeCoreWitness({ ...CORE, digest: new Uint8Array(32) }, CALL_TIME, SERVER.identity) },
    ],
    [
      "a server that is not the one witnessed",
      { server: { ...SERVER_IDENTITY, agentId: MALLORY.genesis.agentId } },
    ],
  ])("%s", (_what, changes) => {
    expect(check({ ...asCaller, ...changes })).toMatchObject({ fault: { code: "session-core-mismatch" } });
  });

  test("my own part in a session that I did not sign", () => {
    expect(check({ ...asCaller, me: own(MALLORY) }).ok).toBe(false);
    expect(check({ ...asCallee, me: own(MALLORY) }).ok).toBe(false);
    expect(check({ ...asCaller, leg: 1 }).ok).toBe(false);
  });

  test("a witness by somebody else", () => {
    for (const signer of [MALLORY.identity, BOB.identity]) {
      expect(check({ ...asCaller, witness: makeCoreWitness(CORE, CALL_TIME, signer) })).toMatchObject({
        fault: { code: "signature-invalid" },
      });
    }
  });

  test("a relay that puts its own core between the ends gives each another session", () => {
    const twin: ServerIdentity = { agentId: MALLORY.genesis.agentId, key: MALLORY.identity.publicKey };
    const core = buildSessionCore(twin, OFFER, ANSWER);
    const witness = makeCoreWitness(core, CALL_TIME, MALLORY.identity);
    const deceived = must(check({ ...asCallee, server: twin, witness }));
    expect(deceived.sessionDigest).not.toEqual(must(check(asCaller)).sessionDigest);
  });
});

describe("authority", () => {
  test("a claim beyond the peer's own documents", () => {
    const bob = testAgent("bob", 2, { document: { scope: scopes("communication:audio:capture") } });
    expect(check({ ...asCaller, peer: documents(bob) })).toMatchObject({
      fault: {
        code: "peer-untrusted",
        details: { reason: "scope-claim-invalid", missing_scopes: ["communication:audio:transmit"] },
      },
    });
  });

  test("a peer that would send without authority", () => {
    const answer = signedAnswer({ scope: ["communication:audio:transmit"] });
    expect(check({ ...asCaller, ...agreed({ answer }) })).toMatchObject({
      fault: { code: "peer-untrusted", details: { stream: 0 } },
    });
  });

  test("listening takes none", () => {
    const streams = ANSWER.payload.streams.map((stream) => ({ ...stream, direction: "recvonly" as const }));
    const answer = signedAnswer({ scope: [], streams });
    expect(check({ ...asCaller, ...agreed({ answer }) }).ok).toBe(true);
  });
});

describe("a call that rings", () => {
  const input: IncomingOfferInput = {
    me: own(BOB),
    offer: OFFER.jws,
    caller: documents(ALICE),
    now: CALL_TIME,
  };
  const ring = (changes: Partial<IncomingOfferInput>) =>
    checkIncomingOffer({ ...input, ...changes }, strictVerifier);

  test("shows who calls, with what authority and key", () => {
    expect(must(ring({ anchors: [ALICE.identity.publicKey] }))).toMatchObject({
      offer: OFFER,
      caller: {
        agentId: ALICE.genesis.agentId,
        anchored: true,
        mediaKey: { ed25519: ALICE.media.publicKey },
        scope: scopes("communication:audio:capture, communication:audio:transmit"),
      },
    });
  });

  test.each<[what: string, changes: Partial<IncomingOfferInput>, code: string]>([
    ["another caller than presented", { caller: documents(MALLORY) }, "peer-untrusted"],
    ["an issuer that is not trusted", { anchors: [] }, "peer-untrusted"],
    ["a forged signature", { offer: signedOffer({}, MALLORY.identity) }, "signature-invalid"],
    ["an offer to somebody else", { me: own(MALLORY) }, "field-invalid"],
    ["an old offer", { now: CALL_TIME + 100_000 }, "field-invalid"],
    [
      "a media key of another call",
      { offer: signedOffer({ media_key: mediaKey(ALICE, { offerId: OFFER_ID.replace(/1$/, "2") }) }) },
      "certificate-invalid",
    ],
    [
      "a claim beyond the documents",
      { offer: signedOffer({ scope: ["communication:bilateral"] }) },
      "peer-untrusted",
    ],
    ["no offer at all", { offer: "a.b.c" }, "field-invalid"],
  ])("%s", (_what, changes, code) => {
    expect(ring(changes)).toMatchObject({ ok: false, fault: { code } });
  });
});

/** The session that these documents make: answer to the offer, and the server's witness of both. */
function agreed(parts: {
  readonly offer?: string;
  readonly answer?: string;
}): Pick<SessionInput, "offer" | "answer" | "witness"> {
  const offer: Offer = must(
    verifyOffer(
      parts.offer ?? OFFER.jws,
      { publicKey: ALICE.identity.publicKey, caller: offerPayload().caller },
      strictVerifier,
    ),
  );
  const answer: Answer = must(
    verifyAnswer(
      parts.answer ?? signedAnswer({ offer_digest: offer.digest }),
      { publicKey: BOB.identity.publicKey, offer },
      strictVerifier,
    ),
  );
  const core = buildSessionCore(SERVER_IDENTITY, offer, answer);
  return { offer: offer.jws, answer: answer.jws, witness: makeCoreWitness(core, CALL_TIME, SERVER.identity) };
}
