import { describe, expect, test } from "vitest";
import { strictVerifier } from "../test/keys.ts";
import { ODD_KEYS } from "../test/odd-keys.ts";
import { ALICE, BOB, CALL_SECONDS, CALL_TIME, mediaKey, must, OFFER_ID } from "../test/signed-call.ts";
import { signJws } from "./jws.ts";
import { encodePublicKey } from "./keys.ts";
import { MEDIA_KEY, type MediaKeyExpectation, verifyMediaKey } from "./media-key.ts";
import { CLOCK_SKEW_SECONDS } from "./validity.ts";

const expected: MediaKeyExpectation = {
  agentId: ALICE.genesis.agentId,
  publicKey: ALICE.identity.publicKey,
  offerId: OFFER_ID,
  now: CALL_TIME,
};
const verify = (jws: string, changes: Partial<MediaKeyExpectation> = {}) =>
  verifyMediaKey(jws, { ...expected, ...changes }, strictVerifier);
const good = mediaKey(ALICE);

test("a certificate gives the media keys of one agent in one call", () => {
  expect(must(verify(good))).toEqual({
    jws: good,
    agentId: ALICE.genesis.agentId,
    offerId: OFFER_ID,
    ed25519: ALICE.media.publicKey,
    x25519: ALICE.exchangeKey,
    generation: 0,
    notBefore: CALL_TIME - 60_000,
    notAfter: CALL_TIME + 3_600_000,
  });
});

describe("validity", () => {
  test("is judged with the skew of clocks, and not at all without a present", () => {
    const [from, to] = [CALL_TIME - 60_000, CALL_TIME + 3_600_000];
    const skew = CLOCK_SKEW_SECONDS * 1000;
    expect(verify(good, { now: from - skew }).ok).toBe(true);
    expect(verify(good, { now: to + skew }).ok).toBe(true);
    for (const now of [from - skew - 1000, to + skew + 1000]) {
      expect(verify(good, { now })).toMatchObject({
        fault: { code: "certificate-invalid", at: "media_key.not_after" },
      });
      expect(verify(good, { now: undefined }).ok).toBe(true);
    }
    expect(verify(good, { now: 0 }).ok).toBe(false);
  });
});

describe("what is refused", () => {
  const key = (publicKey: Uint8Array) => mediaKey(ALICE, { ed25519: publicKey });
  test.each<[what: string, jws: string, member: string]>([
    ["another agent's name", mediaKey(ALICE, { agentId: BOB.genesis.agentId }), "agent_id"],
    ["another call", mediaKey(ALICE, { offerId: OFFER_ID.replace(/1$/, "2") }), "offer_id"],
    ["another signer", mediaKey(ALICE, {}, BOB.identity), "header.kid"],
    ["signed by the media key itself", mediaKey(ALICE, {}, ALICE.media), "header.kid"],
    ["a validity that ends before it begins", mediaKey(ALICE, { notAfter: CALL_TIME - 61_000 }), "not_after"],
    ["generation 16", mediaKey(ALICE, { generation: 16 }), "generation"],
    ["half a generation", mediaKey(ALICE, { generation: 0.5 }), "generation"],
    ["a short key", key(new Uint8Array(31)), "ed25519"],
    ["the identity key", key(ALICE.identity.publicKey), "ed25519"],
    ["a small-order exchange key", mediaKey(ALICE, { x25519: new Uint8Array(32) }), "x25519"],
  ])("%s", (_what, jws, member) => {
    expect(verify(jws)).toMatchObject({ fault: { code: "certificate-invalid", at: `media_key.${member}` } });
  });

  test("a media key that is small-order or not canonical", () => {
    for (const odd of ODD_KEYS) {
      expect(verify(key(odd))).toMatchObject({
        fault: { code: "certificate-invalid", at: "media_key.ed25519" },
      });
    }
  });

  test("another kind of object, another version, a member more", () => {
    const payload = {
      v: 1,
      agent_id: ALICE.genesis.agentId,
      offer_id: OFFER_ID,
      ed25519: encodePublicKey(ALICE.media.publicKey),
      x25519: encodePublicKey(ALICE.exchangeKey),
      generation: 0,
      not_before: CALL_SECONDS,
      not_after: CALL_SECONDS + 1,
    };
    const sign = (typ: string, changes: object) => signJws(typ, { ...payload, ...changes }, ALICE.identity);
    expect(verify(sign(MEDIA_KEY.typ, {})).ok).toBe(true);
    expect(verify(sign("JWT", {}))).toMatchObject({ fault: { at: "media_key.header.typ" } });
    expect(verify(sign(MEDIA_KEY.typ, { v: 2 }))).toMatchObject({ fault: { at: "media_key.v" } });
    expect(verify(sign(MEDIA_KEY.typ, { role: "gateway" }))).toMatchObject({
      fault: { at: "media_key.role" },
    });
  });
});
