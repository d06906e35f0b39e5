import { describe, expect, test } from "vitest";
import { strictVerifier } from "../test/keys.ts";
import {
  ALICE,
  ANSWER,
  answerPayload,
  BOB,
  CALL_SECONDS,
  CALL_TIME,
  mediaKey,
  must,
  OFFER,
  offerPayload,
  SESSION_ID,
  scopes,
  signedAnswer,
  signedOffer,
} from "../test/signed-call.ts";
import { type AnswerExpectation, type AnswerPayload, readAnswer, verifyAnswer } from "./answer.ts";
import { jwsDigest } from "./jws.ts";
import { type OfferPayload, verifyOffer } from "./offer.ts";

const expected: AnswerExpectation = {
  publicKey: BOB.identity.publicKey,
  offer: OFFER,
  sessionId: SESSION_ID,
  now: CALL_TIME + 5000,
};
const verify = (jws: string, changes: Partial<AnswerExpectation> = {}) =>
  verifyAnswer(jws, { ...expected, ...changes }, strictVerifier);

const [stream] = answerPayload().streams;
if (stream?.modality !== "audio") throw new Error("the answer has an audio stream");
const streams = (...changes: object[]) => ({
  streams: changes.map((change) => ({ ...stream, ...change })) as AnswerPayload["streams"],
});
const codec = (changes: object) => streams({ codec: { ...stream.codec, ...changes } });

test("an answer is what its callee signed", () => {
  const jws = signedAnswer();
  expect(must(verify(jws))).toEqual(ANSWER);
  expect(ANSWER).toMatchObject({ jws, digest: jwsDigest(jws), payload: answerPayload() });
  expect(ANSWER.mediaKey.ed25519).toEqual(BOB.media.publicKey);
  expect(must(readAnswer(jws))).toEqual(answerPayload());
});

describe("what lies outside the offer is refused", () => {
  test.each<[what: string, changes: Partial<AnswerPayload>, at: string]>([
    ["a profile", { profile: "chain" }, "answer.profile"],
    ["a stream", streams({ stream: 1 }), "answer.streams[0].stream"],
    ["a stream twice", streams({}, { ssrc: 1 }), "answer.streams[1].stream"],
    ["a codec", codec({ name: "pcma", payload_type: 8, clock_rate: 8000 }), "answer.streams[0].codec"],
    ["a sample rate", codec({ clock_rate: 16_000 }), "answer.streams[0].codec"],
    ["channels", codec({ channels: 2 }), "answer.streams[0].codec"],
    ["a frame size", codec({ frame_ms: 40 }), "answer.streams[0].codec"],
    ["a payload type", codec({ payload_type: 112 }), "answer.streams[0].codec"],
    ["a mixture of two codecs", codec({ payload_type: 0 }), "answer.streams[0].codec"],
    ["the caller's SSRC", streams({ ssrc: OFFER.payload.streams[0]?.ssrc }), "answer.streams[0].ssrc"],
  ])("%s", (_what, changes, at) => {
    expect(verify(signedAnswer(changes))).toMatchObject({ fault: { code: "field-invalid", at } });
  });

  test("a scope, naming what is too much", () => {
    expect(verify(signedAnswer({ scope: ["communication:bilateral"] }))).toMatchObject({
      fault: {
        code: "scope-violation",
        at: "answer.scope",
        details: {
          missing_scopes: [
            "communication:data:capture",
            "communication:data:transmit",
            "communication:video:capture",
            "communication:video:transmit",
          ],
        },
      },
    });
  });

  test("less scope, a later codec and a later frame size are within it", () => {
    expect(verify(signedAnswer({ scope: [] })).ok).toBe(true);
    expect(verify(signedAnswer(codec({ frame_ms: 10 }))).ok).toBe(true);
    expect(verify(signedAnswer(codec({ name: "pcmu", payload_type: 0, clock_rate: 8000 }))).ok).toBe(true);
  });
});

describe("directions", () => {
  const ways = ["sendrecv", "sendonly", "recvonly"] as const;
  const fitting: Record<(typeof ways)[number], readonly string[]> = {
    sendrecv: ["sendrecv", "sendonly", "recvonly"],
    sendonly: ["recvonly"],
    recvonly: ["sendonly"],
  };
  test.each(ways.flatMap((offered) => ways.map((answered) => [offered, answered] as const)))(
    "%s answered by %s",
    (offered, answered) => {
      const changed: Partial<OfferPayload> = {
        streams: offerPayload().streams.map((entry) => ({ ...entry, direction: offered })),
      };
      const offer = must(
        verifyOffer(
          signedOffer(changed),
          { publicKey: ALICE.identity.publicKey, caller: ALICE.genesis.agentId },
          strictVerifier,
        ),
      );
      const jws = signedAnswer({ offer_digest: offer.digest, ...streams({ direction: answered }) });
      expect(verify(jws, { offer }).ok).toBe(fitting[offered].includes(answered));
    },
  );
});

describe("what is refused", () => {
  test.each<[what: string, changes: Partial<AnswerPayload>, at: string]>([
    ["another version", { v: 2 as 1 }, "answer.v"],
    ["another offer", { offer_digest: "0".repeat(64) }, "answer.offer_digest"],
    ["another caller", { caller: BOB.genesis.agentId }, "answer.caller"],
    ["another callee", { callee: ALICE.genesis.agentId }, "answer.callee"],
    ["another session", { session_id: `sess-${"B".repeat(43)}` }, "answer.session_id"],
    ["a session id that is none", { session_id: "../offers" }, "answer.session_id"],
    ["no stream", { streams: [] }, "answer.streams"],
    ["a time before the offer", { iat: CALL_SECONDS - 31 }, "answer.iat"],
    ["a time after the offer", { iat: CALL_SECONDS + 91 }, "answer.iat"],
    ["the caller's media key", { media_key: mediaKey(ALICE) }, "media_key.header.kid"],
    [
      "a media key that is over",
      { media_key: mediaKey(BOB, { notAfter: CALL_TIME - 40_000 }) },
      "media_key.not_after",
    ],
    ["a member more", { more: 1 } as Partial<AnswerPayload>, "answer.more"],
  ])("%s", (_what, changes, at) => {
    expect(verify(signedAnswer(changes))).toMatchObject({ ok: false, fault: { at } });
  });

  test("one that is not of the present", () => {
    for (const now of [CALL_TIME - 31_000, CALL_TIME + 336_000]) {
      expect(verify(signedAnswer(), { now })).toMatchObject({ fault: { at: "answer.iat" } });
    }
    expect(verify(signedAnswer(), { now: undefined }).ok).toBe(true);
  });

  test("another signer", () => {
    expect(verify(signedAnswer({}, ALICE.identity))).toMatchObject({ fault: { code: "signature-invalid" } });
  });

  test("an offer sent back as an answer", () => {
    expect(verify(signedOffer({}, BOB.identity))).toMatchObject({
      fault: { code: "signature-invalid", at: "answer.header.typ" },
    });
  });
});

test("the scope is read", () => {
  expect(ANSWER.scope).toEqual(scopes("communication:audio:capture, communication:audio:transmit"));
});
