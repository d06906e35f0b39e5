import { createPublicKey } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeBase64url } from "../codecs/base64url.ts";
import { encodeHex } from "../codecs/hex.ts";
import { seedSigner, strictVerifier } from "../test/keys.ts";
import { ODD_KEYS } from "../test/odd-keys.ts";
import {
  decodeExchangeKey,
  decodePublicKey,
  encodePublicKey,
  isAcceptableExchangeKey,
  publicKeyFromPem,
  publicKeyToPem,
} from "./keys.ts";

const key32 = fc.uint8Array({ minLength: 32, maxLength: 32 });

describe("PEM", () => {
  test("any 32 bytes come back from PEM, and Node reads the same key", () => {
    fc.assert(
      fc.property(key32, (key) => {
        const pem = publicKeyToPem(key);
        expect(publicKeyFromPem(pem)).toEqual({ ok: true, value: key });
        const der = createPublicKey(pem).export({ type: "spki", format: "der" });
        expect(encodeHex(der.subarray(12))).toBe(encodeHex(key));
      }),
      { numRuns: 50 },
    );
  });

  test("CRLF line ends are read", () => {
    const { publicKey } = seedSigner(1);
    expect(publicKeyFromPem(publicKeyToPem(publicKey).replaceAll("\n", "\r\n"))).toEqual({
      ok: true,
      value: publicKey,
    });
  });

  test.each([
    ["another label", publicKeyToPem(seedSigner(1).publicKey).replaceAll("PUBLIC", "PRIVATE")],
    ["no end", publicKeyToPem(seedSigner(1).publicKey).slice(0, -26)],
    [
      "an X25519 key",
      publicKeyToPem(seedSigner(1).publicKey).replace("MCowBQYDK2VwAyEA", "MCowBQYDK2VuAyEA"),
    ],
    ["a short key", publicKeyToPem(new Uint8Array(31))],
    ["trailing bits", publicKeyToPem(new Uint8Array(32)).replace("A=\n", "B=\n")],
    ["nothing", ""],
  ])("%s is refused", (_what, pem) => {
    expect(publicKeyFromPem(pem)).toMatchObject({ fault: { code: "key-unacceptable" } });
  });
});

describe("Ed25519 keys", () => {
  test("are read from base64url and from PEM", () => {
    const { publicKey } = seedSigner(7);
    for (const text of [encodePublicKey(publicKey), publicKeyToPem(publicKey)]) {
      expect(decodePublicKey(text, strictVerifier)).toEqual({ ok: true, value: publicKey });
    }
  });

  test.each(ODD_KEYS.map((key) => [encodeHex(key), key] as const))(
    "%s is refused, raw and in PEM",
    (_hex, key) => {
      for (const text of [encodePublicKey(key), publicKeyToPem(key)]) {
        expect(decodePublicKey(text, strictVerifier, "here")).toMatchObject({
          fault: { code: "key-unacceptable", at: "here" },
        });
      }
    },
  );

  test.each([
    ["padding", `${encodePublicKey(seedSigner(1).publicKey)}=`],
    ["31 bytes", encodeBase64url(new Uint8Array(31))],
    ["33 bytes", encodeBase64url(new Uint8Array(33))],
    ["plain base64", encodePublicKey(seedSigner(2).publicKey).replaceAll("-", "+").replaceAll("_", "/")],
    ["hex", encodeHex(seedSigner(1).publicKey)],
    ["nothing", ""],
  ])("%s is refused", (_what, text) => {
    expect(decodePublicKey(text, strictVerifier)).toMatchObject({ fault: { code: "key-unacceptable" } });
  });
});

describe("X25519 keys", () => {
  const FIELD = 2n ** 255n - 19n;
  const littleEndian = (value: bigint) =>
    Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 255n));

  test("a point that is not of small order is taken", () => {
    const nine = littleEndian(9n);
    expect(decodeExchangeKey(encodePublicKey(nine))).toEqual({ ok: true, value: nine });
  });

  test.each([
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  ])("%s, of small order, is refused", (hex) => {
    const key = Uint8Array.from(Buffer.from(hex, "hex"));
    expect(isAcceptableExchangeKey(key)).toBe(false);
    expect(decodeExchangeKey(encodePublicKey(key))).toMatchObject({ fault: { code: "key-unacceptable" } });
  });

  test.each([FIELD, FIELD + 1n, FIELD + 9n, 2n ** 255n + 9n, 2n ** 256n - 1n])(
    "%s, not reduced, is refused",
    (value) => {
      expect(isAcceptableExchangeKey(littleEndian(value))).toBe(false);
    },
  );
});
