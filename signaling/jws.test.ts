import { createPrivateKey, createPublicKey } from "node:crypto";
import fc from "fast-check";
import { CompactSign, compactVerify } from "jose";
import { describe, expect, test } from "vitest";
import { decodeBase64url, encodeBase64url } from "../codecs/base64url.ts";
import { canonicalBytes, canonicalize } from "../codecs/canonical-json.ts";
import { seedSigner, strictVerifier } from "../test/keys.ts";
import { ODD_KEYS } from "../test/odd-keys.ts";
import { must } from "../test/signed-call.ts";
import { decodeJws, jwsDigest, MAX_JWS_CHARACTERS, signJws, verifyJws } from "./jws.ts";
import { keyId, publicKeyToPem } from "./keys.ts";

const TYP = "test+jwt";
const signer = seedSigner(1);
const PAYLOAD = { b: [1, "ä"], a: null, c: { y: true, x: 1.5 } };
const good = signJws(TYP, PAYLOAD, signer);
const [header, payload, signature] = good.split(".") as [string, string, string];

/** A JWS with these raw parts, signed so that only its form is at fault. */
function forged(headerText: string, payloadText: string): string {
  const signed = `${encodeBase64url(bytes(headerText))}.${encodeBase64url(bytes(payloadText))}`;
  return `${signed}.${encodeBase64url(signer.sign(bytes(signed)))}`;
}

function verify(jws: string, publicKey = signer.publicKey) {
  return verifyJws(jws, TYP, publicKey, strictVerifier);
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

describe("what we sign", () => {
  test("comes back, with the header in canonical form", () => {
    expect(verify(good)).toMatchObject({
      ok: true,
      value: { header: { alg: "EdDSA", kid: keyId(signer.publicKey), typ: TYP }, payload: PAYLOAD },
    });
    expect(must(decodeBase64url(header))).toEqual(
      canonicalBytes({ alg: "EdDSA", kid: keyId(signer.publicKey), typ: TYP }),
    );
  });

  test("is the same text however the payload's members are ordered", () => {
    expect(signJws(TYP, { c: { x: 1.5, y: true }, a: null, b: [1, "ä"] }, signer)).toBe(good);
  });

  test("is the same text by a key that answers later", async () => {
    const later = { publicKey: signer.publicKey, sign: async (message: Uint8Array) => signer.sign(message) };
    const signing = signJws(TYP, PAYLOAD, later);
    expect(signing).toBeInstanceOf(Promise);
    expect(await signing).toBe(good);
  });

  test("is what jose accepts, whatever the payload", async () => {
    const key = createPublicKey(publicKeyToPem(signer.publicKey));
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.string(), fc.jsonValue()), async (value) => {
        if (!isRepresentable(value)) return;
        const verified = await compactVerify(signJws(TYP, value, signer), key, { algorithms: ["EdDSA"] });
        expect(verified.protectedHeader.typ).toBe(TYP);
        expect(new TextDecoder().decode(verified.payload)).toBe(canonicalize(value));
      }),
      { numRuns: 30 },
    );
  });

  test("and what jose signs is accepted, to the same text", async () => {
    const pkcs8 = Buffer.concat([
      Buffer.from("302e020100300506032b657004220420", "hex"),
      new Uint8Array(32).fill(1),
    ]);
    const key = createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" });
    const theirs = await new CompactSign(canonicalBytes(PAYLOAD))
      .setProtectedHeader({ alg: "EdDSA", kid: keyId(signer.publicKey), typ: TYP })
      .sign(key);
    expect(theirs).toBe(good);
    expect(verify(theirs).ok).toBe(true);
  });

  test("has SHA-256 of its text as its digest", () => {
    expect(jwsDigest("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  });
});

describe("what is refused", () => {
  const headerOf = (changes: object) =>
    canonicalize({ alg: "EdDSA", kid: keyId(signer.publicKey), typ: TYP, ...changes });

  test.each<[what: string, jws: string, at: string]>([
    ["alg none", forged(headerOf({ alg: "none" }), "{}"), "jws.header.alg"],
    [
      "alg none without a signature",
      `${encodeBase64url(bytes(headerOf({ alg: "none" })))}.${payload}.`,
      "jws.header.alg",
    ],
    ["alg HS256", forged(headerOf({ alg: "HS256" }), "{}"), "jws.header.alg"],
    ["alg ES256", forged(headerOf({ alg: "ES256" }), "{}"), "jws.header.alg"],
    ["alg Ed25519", forged(headerOf({ alg: "Ed25519" }), "{}"), "jws.header.alg"],
    ["another case of alg", forged(headerOf({ alg: "eddsa" }), "{}"), "jws.header.alg"],
    ["another typ", forged(headerOf({ typ: "parley-offer+jwt" }), "{}"), "jws.header.typ"],
    ["typ in another case", forged(headerOf({ typ: "TEST+JWT" }), "{}"), "jws.header.typ"],
    ["no kid", forged(canonicalize({ alg: "EdDSA", typ: TYP }), "{}"), "jws.header.kid"],
    ["another kid", forged(headerOf({ kid: keyId(seedSigner(2).publicKey) }), "{}"), "jws.header.kid"],
    ["a crit header", forged(headerOf({ crit: ["b64"], b64: false }), "{}"), "jws.header.b64"],
    ["a key in the header", forged(headerOf({ jwk: {} }), "{}"), "jws.header.jwk"],
    ["a header that is no object", forged("[]", "{}"), "jws.header"],
    [
      "a header that is not canonical",
      forged(`{"typ":"${TYP}","alg":"EdDSA","kid":"x"}`, "{}"),
      "jws.header",
    ],
    ["a payload with blanks", forged(headerOf({}), '{"a": 1}'), "jws.payload"],
    ["a payload with a repeated member", forged(headerOf({}), '{"a":1,"a":1}'), "jws.payload"],
    ["a payload out of order", forged(headerOf({}), '{"b":1,"a":1}'), "jws.payload"],
    ["a payload that is no object", forged(headerOf({}), "1"), "jws.payload"],
    ["padded base64url", `${header}=.${payload}.${signature}`, "jws.header"],
    ["plain base64", `${header}.${payload}.${signature.slice(0, -2)}+/`, "jws.signature"],
    ["unused bits set in the signature", `${header}.${payload}.${bumpLast(signature)}`, "jws.signature"],
    ["a blank", `${header}.${payload}. ${signature}`, "jws.signature"],
    ["two parts", `${header}.${payload}`, "jws"],
    ["four parts", `${good}.`, "jws"],
    ["five parts, as an encrypted one has", `${good}.${signature}.${signature}`, "jws"],
    ["a short signature", `${header}.${payload}.${encodeBase64url(new Uint8Array(63))}`, "jws.signature"],
    ["a long signature", `${header}.${payload}.${encodeBase64url(new Uint8Array(65))}`, "jws.signature"],
    ["no signature", `${header}.${payload}.`, "jws.signature"],
    ["too long a text", `${header}.${"A".repeat(MAX_JWS_CHARACTERS)}.${signature}`, "jws"],
    ["nothing", "", "jws"],
    [
      "another payload under the same signature",
      `${header}.${encodeBase64url(bytes("{}"))}.${signature}`,
      "jws.signature",
    ],
  ])("%s", (_what, jws, at) => {
    expect(verify(jws)).toMatchObject({ ok: false, fault: { at } });
  });

  test.each([undefined, null, 1, {}, []])("%j instead of text", (value) => {
    expect(decodeJws(value as unknown as string, TYP)).toMatchObject({
      fault: { code: "field-invalid", at: "jws" },
    });
  });

  test("another key", () => {
    expect(verify(good, seedSigner(2).publicKey)).toMatchObject({ fault: { code: "signature-invalid" } });
  });

  test("S plus the group order, which lenient verifiers take", () => {
    const raw = must(decodeBase64url(signature));
    const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
    let s = raw.slice(32).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n) + ORDER;
    for (let i = 32; i < 64; i++, s >>= 8n) raw[i] = Number(s & 255n);
    expect(verify(`${header}.${payload}.${encodeBase64url(raw)}`)).toMatchObject({
      fault: { code: "signature-invalid", at: "jws.signature" },
    });
  });

  test("every key that is small-order or not canonical, with the signature that fits any message", () => {
    const fits = new Uint8Array(64);
    fits.fill(0x66, 1, 32);
    fits[0] = 0x58;
    fits[32] = 1;
    for (const key of ODD_KEYS) {
      const signed = `${encodeBase64url(canonicalBytes({ alg: "EdDSA", kid: keyId(key), typ: TYP }))}.${payload}`;
      expect(verify(`${signed}.${encodeBase64url(fits)}`, key)).toMatchObject({
        fault: { code: "signature-invalid" },
      });
    }
  });

  test("such a key even where the signature is taken for good", () => {
    const lax = { verify: () => true, isAcceptableKey: strictVerifier.isAcceptableKey };
    for (const key of ODD_KEYS) {
      const signed = `${encodeBase64url(canonicalBytes({ alg: "EdDSA", kid: keyId(key), typ: TYP }))}.${payload}`;
      expect(verifyJws(`${signed}.${signature}`, TYP, key, lax).ok).toBe(false);
    }
  });

  test("any change of one character", () => {
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.constantFrom(..."Aa0-_.=~"), (at, character) => {
        if (good[at] === character) return;
        expect(verify(good.slice(0, at) + character + good.slice(at + 1)).ok).toBe(false);
      }),
    );
  });
});

function bumpLast(text: string): string {
  const last = { A: "B", Q: "R", g: "h", w: "x" }[text.slice(-1)];
  return text.slice(0, -1) + last;
}

function isRepresentable(value: unknown): boolean {
  try {
    canonicalize(value);
    return true;
  } catch {
    return false;
  }
}
