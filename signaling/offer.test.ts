import { describe, expect, test } from "vitest";
import { strictVerifier } from "../test/keys.ts";
import {
  ALICE,
  BOB,
  CALL_SECONDS,
  CALL_TIME,
  mediaKey,
  must,
  OFFER,
  OFFER_ID,
  offerPayload,
  scopes,
  signedOffer,
} from "../test/signed-call.ts";
import { MAX_CODECS } from "./audio-stream.ts";
import { jwsDigest } from "./jws.ts";
import {
  MAX_STREAMS,
  OFFER_LIFETIME_SECONDS,
  type OfferExpectation,
  type OfferPayload,
  readOffer,
  scopeCeiling,
  verifyOffer,
} from "./offer.ts";
import { CLOCK_SKEW_SECONDS } from "./validity.ts";

const expected: OfferExpectation = {
  publicKey: ALICE.identity.publicKey,
  caller: ALICE.genesis.agentId,
  callee: BOB.genesis.agentId,
  now: CALL_TIME,
};
const verify = (jws: string, changes: Partial<OfferExpectation> = {}) =>
  verifyOffer(jws, { ...expected, ...changes }, strictVerifier);

const [stream] = offerPayload().streams;
if (stream?.modality !== "audio") throw new Error("the offer has an audio stream");
const [codec] = stream.codecs;
if (codec === undefined) throw new Error("the stream has a codec");
const streams = (...changes: object[]) => ({
  streams: changes.map((change, i) => ({
    ...stream,
    stream: i,
    ssrc: i,
    ...change,
  })) as OfferPayload["streams"],
});

test("an offer is what its caller signed", () => {
  const jws = signedOffer();
  expect(must(verify(jws))).toEqual({
    jws,
    digest: jwsDigest(jws),
    payload: offerPayload(),
    mediaKey: expect.objectContaining({ agentId: ALICE.genesis.agentId, ed25519: ALICE.media.publicKey }),
    scope: scopes("communication:audio:capture, communication:audio:transmit"),
  });
  expect(must(readOffer(jws))).toEqual(offerPayload());
});

describe("times", () => {
  test("are judged with the skew of clocks, and only against each other without a present", () => {
    const late = CALL_TIME + (60 + CLOCK_SKEW_SECONDS) * 1000;
    expect(verify(signedOffer(), { now: late }).ok).toBe(true);
    expect(verify(signedOffer(), { now: late + 1000 })).toMatchObject({ fault: { at: "offer.exp" } });
    expect(verify(signedOffer(), { now: undefined }).ok).toBe(true);
  });

  test.each([0, -1, OFFER_LIFETIME_SECONDS + 1])("an offer that stands %d s is none", (lifetime) => {
    const jws = signedOffer({ exp: CALL_SECONDS + lifetime });
    expect(verify(jws, { now: undefined })).toMatchObject({
      fault: { code: "field-invalid", at: "offer.exp" },
    });
  });
});

describe("what is refused", () => {
  test.each<[what: string, changes: Partial<OfferPayload>, at: string]>([
    ["another version", { v: 2 as 1 }, "offer.v"],
    ["an offer id that is no UUIDv7", { offer_id: "019b76da-a800-4000-8000-000000000001" }, "offer.offer_id"],
    ["another caller", { caller: BOB.genesis.agentId, callee: ALICE.genesis.agentId }, "offer.caller"],
    ["another callee", { callee: "0".repeat(64) }, "offer.callee"],
    ["a model that is none", { session: { model: "open" as "bounded", ttl: 1 } }, "offer.session.model"],
    ["no life", { session: { model: "bounded", ttl: 0 } }, "offer.session.ttl"],
    ["no profile", { profiles: [] }, "offer.profiles"],
    ["a profile without attribution", { profiles: ["none" as "frame"] }, "offer.profiles[0]"],
    ["no stream", { streams: [] }, "offer.streams"],
    ["too many streams", streams(...Array(MAX_STREAMS + 1).fill({})), "offer.streams"],
    ["a stream twice", streams({}, { stream: 0 }), "offer.streams[1].stream"],
    ["an SSRC twice", streams({}, { ssrc: 0 }), "offer.streams[1].ssrc"],
    ["a payload type twice", streams({ codecs: [codec, codec] }), "offer.streams[0].codecs"],
    ["no codec", streams({ codecs: [] }), "offer.streams[0].codecs"],
    ["too many codecs", streams({ codecs: Array(MAX_CODECS + 1).fill(codec) }), "offer.streams[0].codecs"],
    ["a modality that is none", streams({ modality: "hologram" }), "offer.streams[0].modality"],
    ["a direction that is none", streams({ direction: "inactive" }), "offer.streams[0].direction"],
    ["a stream number of 33 bits", streams({ stream: 2 ** 32 }), "offer.streams[0].stream"],
    [
      "a name in capitals",
      streams({ codecs: [{ ...codec, name: "OPUS" }] }),
      "offer.streams[0].codecs[0].name",
    ],
    [
      "three channels",
      streams({ codecs: [{ ...codec, channels: 3 }] }),
      "offer.streams[0].codecs[0].channels",
    ],
    [
      "no frame size",
      streams({ codecs: [{ ...codec, frame_ms: [] }] }),
      "offer.streams[0].codecs[0].frame_ms",
    ],
    [
      "a frame of no time",
      streams({ codecs: [{ ...codec, frame_ms: [0] }] }),
      "offer.streams[0].codecs[0].frame_ms[0]",
    ],
    [
      "payload type 128",
      streams({ codecs: [{ ...codec, payload_type: 128 }] }),
      "offer.streams[0].codecs[0].payload_type",
    ],
    [
      "payload type 72",
      streams({ codecs: [{ ...codec, payload_type: 72 }] }),
      "offer.streams[0].codecs[0].payload_type",
    ],
    ["a scope that is none", { scope: ["audio"] }, "offer.scope[0]"],
    ["no Audit-ID", { last_audit_id: "" }, "offer.last_audit_id"],
    [
      "an uncertainty below zero",
      { clock: { offset_ms: 0, uncertainty_ms: -1 } },
      "offer.clock.uncertainty_ms",
    ],
    ["a member more", { more: 1 } as Partial<OfferPayload>, "offer.more"],
    [
      "a media key for another call",
      { media_key: mediaKey(ALICE, { offerId: OFFER_ID.replace(/1$/, "2") }) },
      "media_key.offer_id",
    ],
    ["somebody else's media key", { media_key: mediaKey(BOB) }, "media_key.header.kid"],
  ])("%s", (_what, changes, at) => {
    expect(verify(signedOffer(changes))).toMatchObject({ ok: false, fault: { at } });
  });

  test("a call to oneself", () => {
    const jws = signedOffer({ callee: ALICE.genesis.agentId });
    expect(verify(jws, { callee: undefined })).toMatchObject({ fault: { at: "offer.callee" } });
  });

  test("another signer", () => {
    expect(verify(signedOffer({}, BOB.identity))).toMatchObject({ fault: { code: "signature-invalid" } });
    expect(verify(signedOffer({}, ALICE.media))).toMatchObject({ fault: { code: "signature-invalid" } });
  });
});

describe("the scope an answer may take", () => {
  const ceiling = (changes: Partial<OfferPayload>) => {
    const { payload, scope } = must(verify(signedOffer(changes)));
    return scopeCeiling({ payload, scope });
  };

  test("is what the caller proposes", () => {
    expect(scopeCeiling(OFFER)).toEqual(OFFER.scope);
  });

  test("and what sending takes where the caller listens, though it may not send itself", () => {
    expect(ceiling({ scope: [], ...streams({ direction: "recvonly" }) })).toEqual(
      scopes("communication:audio:capture, communication:audio:transmit"),
    );
    expect(ceiling({ scope: [], ...streams({ direction: "sendonly" }) }).grants).toEqual([]);
  });
});
