import { describe, expect, it } from "vitest";
import { encodeHex } from "../codecs/hex.ts";
import { strictVerifier } from "../test/keys.ts";
import {
  ALICE,
  ANSWER,
  answerPayload,
  BOB,
  CALL_TIME,
  CORE,
  mediaKey,
  must,
  OFFER,
  offerPayload,
  SERVER,
  SERVER_IDENTITY,
  SESSION_ID,
  type TestAgent,
  testAgent,
} from "../test/signed-call.ts";
import { type AnswerPayload, makeAnswer, verifyAnswer } from "./answer.ts";
import type { GatewayStatement } from "./gateway.ts";
import { callerOf, makeOffer, type Offer, type OfferPayload, verifyOffer } from "./offer.ts";
import { checkIncomingOffer, checkSession, type SessionInput } from "./peer-check.ts";
import { buildSessionCore, makeCoreWitness, readSessionCore } from "./session-core.ts";

const GATEWAY = testAgent("gateway", 5, { issuer: SERVER.identity });
const EVIDENCE = { jti: "token-1", token: "ab".repeat(32), fingerprint: "cd".repeat(32) };

function actsFor({ genesis }: TestAgent): GatewayStatement {
  return { subject: genesis.agentId, issuer: "https://login.example", evidence: EVIDENCE };
}

/** An offer to Bob that the gateway signs for Alice. */
function offerByGateway(changes: Partial<OfferPayload> = {}): string {
  const caller = GATEWAY.genesis.agentId;
  const own = { caller, media_key: mediaKey(GATEWAY), gateway: actsFor(ALICE) };
  return makeOffer(offerPayload({ ...own, ...changes }), GATEWAY.identity);
}

function judgedOffer(jws: string) {
  const { publicKey } = GATEWAY.identity;
  return verifyOffer(jws, { publicKey, caller: GATEWAY.genesis.agentId, now: CALL_TIME }, strictVerifier);
}

/** Alice's own offer, which a gateway may answer. */
const WELCOMING = must(
  verifyOffer(
    makeOffer(offerPayload({ gateways: true }), ALICE.identity),
    { publicKey: ALICE.identity.publicKey, caller: ALICE.genesis.agentId, now: CALL_TIME },
    strictVerifier,
  ),
);

/** An answer that the gateway signs for Bob. */
function answerByGateway(offer: Offer, changes: Partial<AnswerPayload> = {}): string {
  const own = {
    caller: offer.payload.caller,
    media_key: mediaKey(GATEWAY, { ed25519: BOB.media.publicKey }),
  };
  return makeAnswer(
    answerPayload({ offer_digest: offer.digest, ...own, gateway: actsFor(BOB), ...changes }),
    GATEWAY.identity,
  );
}

function judgedAnswer(jws: string, offer: Offer, gateway: string | undefined = GATEWAY.genesis.agentId) {
  const { publicKey } = GATEWAY.identity;
  return verifyAnswer(jws, { publicKey, offer, gateway, now: CALL_TIME + 5_000 }, strictVerifier);
}

const placeOf = (result: { readonly ok: boolean; readonly fault?: { readonly at?: string | undefined } }) =>
  result.ok ? "held" : result.fault?.at;

describe("an offer by a gateway", () => {
  it("names who signs, and for whom", () => {
    const offer = must(judgedOffer(offerByGateway()));
    expect(offer.payload.caller).toBe(GATEWAY.genesis.agentId);
    expect(callerOf(offer.payload)).toBe(ALICE.genesis.agentId);
  });

  it("is refused where the gateway acts for itself, or calls whom it acts for", () => {
    expect(placeOf(judgedOffer(offerByGateway({ gateway: actsFor(GATEWAY) })))).toBe("offer.gateway.subject");
    expect(placeOf(judgedOffer(offerByGateway({ gateway: actsFor(BOB) })))).toBe("offer.callee");
  });

  it.each([
    ["a token digest of another length", { ...EVIDENCE, token: "ab" }, "offer.gateway.evidence.token"],
    [
      "a fingerprint in capitals",
      { ...EVIDENCE, fingerprint: "CD".repeat(32) },
      "offer.gateway.evidence.fingerprint",
    ],
    ["a member nobody knows", { ...EVIDENCE, more: 1 }, "offer.gateway.evidence.more"],
  ])("is refused with %s", (_, evidence, at) => {
    const gateway = { ...actsFor(ALICE), evidence };
    expect(placeOf(judgedOffer(offerByGateway({ gateway })))).toBe(at);
  });
});

describe("an answer by a gateway", () => {
  it("holds where the offer takes gateways, with the gateway's key and name", () => {
    const answer = must(judgedAnswer(answerByGateway(WELCOMING), WELCOMING));
    expect(answer.payload.callee).toBe(BOB.genesis.agentId);
    expect(answer.mediaKey.agentId).toBe(GATEWAY.genesis.agentId);
  });

  it("is refused where the offer says nothing of gateways", () => {
    expect(placeOf(judgedAnswer(answerByGateway(OFFER), OFFER))).toBe("answer.gateway");
  });

  it("is refused where it is for another agent than was called, or does not say for whom", () => {
    const forAlice = answerByGateway(WELCOMING, { gateway: actsFor(ALICE) });
    expect(placeOf(judgedAnswer(forAlice, WELCOMING))).toBe("answer.gateway.subject");
    const { gateway: _, ...silent } = answerPayload({ media_key: mediaKey(GATEWAY) });
    const jws = makeAnswer({ ...silent, offer_digest: WELCOMING.digest }, GATEWAY.identity);
    expect(placeOf(judgedAnswer(jws, WELCOMING))).toBe("answer.gateway");
  });

  it("is refused where the agent itself is expected to sign", () => {
    const { publicKey } = GATEWAY.identity;
    const judged = verifyAnswer(answerByGateway(WELCOMING), { publicKey, offer: WELCOMING }, strictVerifier);
    expect(placeOf(judged)).toBe("answer.gateway");
  });

  it("brings a media key that names the gateway, and no other", () => {
    const stranger = answerByGateway(WELCOMING, { media_key: mediaKey(BOB, {}, GATEWAY.identity) });
    expect(placeOf(judgedAnswer(stranger, WELCOMING))).toBe("media_key.agent_id");
  });
});

describe("the session core", () => {
  const answer = must(judgedAnswer(answerByGateway(WELCOMING), WELCOMING));
  const core = buildSessionCore(SERVER_IDENTITY, WELCOMING, answer);

  it("names the gateway on its leg, for whom it acts and by what", () => {
    const [caller, callee] = core.payload.legs;
    expect(caller).toEqual({
      leg: 0,
      agent_id: ALICE.genesis.agentId,
      media_key: WELCOMING.payload.media_key,
      signed: WELCOMING.digest,
    });
    expect(callee).toEqual({
      leg: 1,
      agent_id: GATEWAY.genesis.agentId,
      role: "gateway",
      on_behalf_of: { subject: BOB.genesis.agentId, issuer: "https://login.example" },
      evidence: EVIDENCE,
      media_key: answer.payload.media_key,
      signed: answer.digest,
    });
    expect(must(readSessionCore(core.bytes)).digest).toEqual(core.digest);
  });

  it("is refused with a part of what makes a gateway", () => {
    const text = new TextDecoder().decode(core.bytes).replace('"role":"gateway",', "");
    expect(placeOf(readSessionCore(new TextEncoder().encode(text)))).toBe("core.legs");
  });

  it("has the bytes that it always had where nobody is a gateway", () => {
    const text = new TextDecoder().decode(CORE.bytes);
    expect(text).not.toMatch(/role|on_behalf_of|evidence/);
    expect(encodeHex(buildSessionCore(SERVER_IDENTITY, OFFER, ANSWER).digest)).toBe(encodeHex(CORE.digest));
  });
});

describe("what an end checks of a gateway at the other", () => {
  const presented = (agent: TestAgent) => ({
    genesis: agent.genesis.bytes,
    identityDocument: agent.document.bytes,
  });

  /** Alice called Bob, and the gateway answered. */
  function answered(changes: Partial<SessionInput> = {}, offer = WELCOMING): SessionInput {
    const jws = answerByGateway(offer);
    const answer = judgedAnswer(jws, offer);
    const core = answer.ok ? buildSessionCore(SERVER_IDENTITY, offer, answer.value) : CORE;
    return {
      leg: 0,
      me: { agentId: ALICE.genesis.agentId, publicKey: ALICE.identity.publicKey },
      peerAgentId: BOB.genesis.agentId,
      offer: offer.jws,
      answer: jws,
      peer: presented(GATEWAY),
      sessionId: SESSION_ID,
      witness: makeCoreWitness(core, CALL_TIME, SERVER.identity),
      server: SERVER_IDENTITY,
      now: CALL_TIME + 6_000,
      ...changes,
    };
  }
  const verdict = (input: SessionInput) => {
    const checked = checkSession(input, strictVerifier);
    return checked.ok
      ? "held"
      : `${checked.fault.code} ${String(checked.fault.details?.reason ?? "")}`.trim();
  };

  it("takes it with its own name, and its word for whom it acts", () => {
    const { peer, core } = must(checkSession(answered(), strictVerifier));
    expect(peer.agentId).toBe(GATEWAY.genesis.agentId);
    expect(peer.gateway).toEqual(actsFor(BOB));
    expect(core.payload.legs[1]?.role).toBe("gateway");
  });

  it("refuses it where its own offer took none, and where it acts for another than was dialled", () => {
    expect(verdict(answered({}, OFFER))).toBe("peer-untrusted gateway-unwanted");
    expect(verdict(answered({ peerAgentId: SERVER.genesis.agentId }))).toBe("peer-untrusted");
  });

  it("refuses its own offer where that was made for another agent than it acts for", () => {
    const offer = must(judgedOffer(offerByGateway()));
    const answer = makeAnswer(
      answerPayload({ offer_digest: offer.digest, caller: GATEWAY.genesis.agentId }),
      BOB.identity,
    );
    const { publicKey } = GATEWAY.identity;
    const own = (subject: TestAgent) =>
      answered({
        me: { agentId: GATEWAY.genesis.agentId, publicKey, onBehalfOf: subject.genesis.agentId },
        ...{ offer: offer.jws, answer, peer: presented(BOB) },
      });
    const other = checkSession(own(SERVER), strictVerifier);
    expect(other.ok ? undefined : other.fault.at).toBe("offer.gateway.subject");
  });

  it("holds it against the anchors by its own issuer", () => {
    expect(verdict(answered({ anchors: [SERVER.identity.publicKey] }))).toBe("held");
    expect(verdict(answered({ anchors: [BOB.identity.publicKey] }))).toBe("peer-untrusted issuer-untrusted");
  });

  it("refuses the documents of the agent that it acts for: that one signed nothing", () => {
    expect(verdict(answered({ peer: presented(BOB) }))).toMatch(/^signature-invalid|^peer-untrusted/);
  });

  it("tells the one who is called for whom the gateway calls, and of both legs of two gateways", () => {
    const offer = must(judgedOffer(offerByGateway({ gateways: true })));
    const publicKey = BOB.identity.publicKey;
    const incoming = checkIncomingOffer(
      {
        me: { agentId: BOB.genesis.agentId, publicKey },
        offer: offer.jws,
        caller: presented(GATEWAY),
        now: CALL_TIME,
      },
      strictVerifier,
    );
    expect(must(incoming).caller).toMatchObject({
      agentId: GATEWAY.genesis.agentId,
      gateway: { subject: ALICE.genesis.agentId },
    });
    const me = {
      agentId: GATEWAY.genesis.agentId,
      publicKey: GATEWAY.identity.publicKey,
      onBehalfOf: BOB.genesis.agentId,
    };
    const both = answered({ leg: 1, me, peerAgentId: ALICE.genesis.agentId }, offer);
    const { core, peer } = must(checkSession(both, strictVerifier));
    expect(core.payload.legs.map(({ on_behalf_of: behalf }) => behalf?.subject)).toEqual([
      ALICE.genesis.agentId,
      BOB.genesis.agentId,
    ]);
    expect(peer.gateway?.subject).toBe(ALICE.genesis.agentId);
    expect(verdict({ ...both, me: { ...me, onBehalfOf: ALICE.genesis.agentId } })).toBe(
      "session-core-mismatch field-invalid",
    );
  });
});
