import { readFileSync } from "node:fs";
import fc from "fast-check";
import sodium from "sodium-native";
import { describe, expect, test } from "vitest";
import { createSigner, generateSeed, random, verifier } from "./sodium.ts";

interface Vector {
  readonly name: string;
  readonly seed: string;
  readonly public_key: string;
  readonly message: string;
  readonly signature: string;
}

const vectors: Vector[] = JSON.parse(
  readFileSync(new URL("../../test/vectors/rfc8032/ed25519.json", import.meta.url), "utf8"),
);

/** The group order L of RFC 8032 5.1. */
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const FIELD = 2n ** 255n - 19n;
const IDENTITY = encodeY(1n, 0);
const GENERATOR_OF_ORDER_8 = hex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a");

describe("RFC 8032 7.1", () => {
  test.each(vectors)("$name: key, signature and verification", (vector) => {
    const signer = createSigner(hex(vector.seed));
    const signature = signer.sign(hex(vector.message));
    expect(toHex(signer.publicKey)).toBe(vector.public_key);
    expect(toHex(signature)).toBe(vector.signature);
    expect(verifier.verify(signer.publicKey, hex(vector.message), signature)).toBe(true);
    expect(verifier.isAcceptableKey(signer.publicKey)).toBe(true);
  });
});

describe("verification is strict", () => {
  test.each(vectors)("$name: S + L and L itself are refused", (vector) => {
    const valid = hex(vector.signature);
    for (const s of [littleEndian(valid.subarray(32)) + ORDER, ORDER]) {
      const altered = valid.slice();
      altered.set(encodeScalar(s), 32);
      expect(verifier.verify(hex(vector.public_key), hex(vector.message), altered)).toBe(false);
    }
  });

  test("a key of small order verifies nothing, not even the signature that fits any message", () => {
    // S = 1, R = B: for the identity as key, S·B = R + h·A whatever the message.
    const forged = new Uint8Array(64);
    forged.set(hex("5866666666666666666666666666666666666666666666666666666666666666"));
    forged[32] = 1;
    for (const key of [...smallOrderKeys(), ...nonCanonicalKeys()]) {
      expect(verifier.isAcceptableKey(key), toHex(key)).toBe(false);
      for (let i = 0; i < 16; i++) expect(verifier.verify(key, new Uint8Array([i]), forged)).toBe(false);
    }
  });

  test("there are eight points of small order", () => {
    expect(new Set(smallOrderKeys().map(toHex)).size).toBe(8);
  });

  test("a key with a part of small order is no key", () => {
    const key = createSigner(generateSeed()).publicKey;
    for (const small of smallOrderKeys()) {
      const mixed = addPoints(key, small);
      expect(verifier.isAcceptableKey(mixed), toHex(small)).toBe(toHex(small) === toHex(IDENTITY));
    }
  });

  test("a y that is on no point of the curve is no key", () => {
    expect(verifier.isAcceptableKey(encodeY(2n, 0))).toBe(false);
  });

  test("wrong lengths and junk are false, never an exception", () => {
    const signer = createSigner(generateSeed());
    const message = random(10);
    const signature = signer.sign(message);
    const long = new Uint8Array(65);
    long.set(signature);
    expect(verifier.verify(signer.publicKey, message, long)).toBe(false);
    for (const length of [0, 31, 33, 63]) {
      expect(verifier.verify(signer.publicKey, message, signature.slice(0, length))).toBe(false);
      expect(verifier.verify(random(length), message, signature)).toBe(false);
      expect(verifier.isAcceptableKey(random(length))).toBe(false);
    }
    for (const junk of [undefined, null, 7, "key", {}, [], new ArrayBuffer(32)] as unknown as Uint8Array[]) {
      expect(verifier.verify(junk, message, signature)).toBe(false);
      expect(verifier.verify(signer.publicKey, junk, signature)).toBe(false);
      expect(verifier.verify(signer.publicKey, message, junk)).toBe(false);
      expect(verifier.isAcceptableKey(junk)).toBe(false);
    }
  });

  test("a view on memory that was transferred away is false", () => {
    const signer = createSigner(generateSeed());
    const message = random(8);
    const signature = signer.sign(message);
    structuredClone(message, { transfer: [message.buffer] });
    expect(verifier.verify(signer.publicKey, message, signature)).toBe(false);
  });
});

test("signs views anywhere in a larger buffer; any flipped bit fails", () => {
  const seed = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const body = fc.uint8Array({ minLength: 1, maxLength: 300 });
  fc.assert(
    fc.property(seed, body, fc.nat(64), fc.nat(), (seedBytes, bytes, shift, flip) => {
      const signer = createSigner(seedBytes);
      const view = new Uint8Array(shift + bytes.length + 3).subarray(shift, shift + bytes.length);
      view.set(bytes);
      const signature = signer.sign(view);
      expect(verifier.verify(signer.publicKey, bytes, signature)).toBe(true);

      const message = bytes.slice();
      flipBit(message, flip);
      expect(verifier.verify(signer.publicKey, message, signature)).toBe(false);
      flipBit(signature, flip);
      expect(verifier.verify(signer.publicKey, bytes, signature)).toBe(false);
    }),
    { numRuns: 200 },
  );
});

test("the signer keeps its own copy of the seed", () => {
  const seed = generateSeed();
  const signer = createSigner(seed);
  const message = random(20);
  const before = toHex(signer.sign(message));
  seed.fill(0);
  expect(toHex(signer.sign(message))).toBe(before);
});

test("a seed of another length is refused by name", () => {
  for (const length of [0, 31, 33, 64]) {
    expect(() => createSigner(random(length))).toThrow(expect.objectContaining({ code: "field-invalid" }));
  }
});

test("random bytes have the length asked for and do not repeat", () => {
  expect(random(0)).toHaveLength(0);
  const seen = new Set(Array.from({ length: 200 }, () => toHex(random(16))));
  expect(seen.size).toBe(200);
});

/** The whole 8-torsion subgroup in canonical form. */
function smallOrderKeys(): Uint8Array[] {
  const keys: Uint8Array[] = [];
  let point = IDENTITY;
  do {
    keys.push(point);
    point = addPoints(point, GENERATOR_OF_ORDER_8);
  } while (toHex(point) !== toHex(IDENTITY));
  return keys;
}

/** Every encoding with y >= p, both signs, and the two where x = 0 is called negative. */
function nonCanonicalKeys(): Uint8Array[] {
  const keys = [encodeY(1n, 1), encodeY(FIELD - 1n, 1)];
  for (let y = FIELD; y < 2n ** 255n; y++) keys.push(encodeY(y, 0), encodeY(y, 1));
  return keys;
}

function addPoints(a: Uint8Array, b: Uint8Array): Uint8Array {
  const sum = Buffer.alloc(32);
  sodium.crypto_core_ed25519_add(sum, Buffer.from(a), Buffer.from(b));
  return new Uint8Array(sum);
}

function encodeY(y: bigint, sign: 0 | 1): Uint8Array {
  const bytes = encodeScalar(y);
  bytes[31] = (bytes[31] ?? 0) | (sign << 7);
  return bytes;
}

function encodeScalar(value: bigint): Uint8Array {
  return hex(value.toString(16).padStart(64, "0")).reverse();
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes.slice().reverse())}`);
}

function flipBit(bytes: Uint8Array, index: number): void {
  const at = (index >> 3) % bytes.length;
  bytes[at] = (bytes[at] ?? 0) ^ (1 << (index & 7));
}

function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "hex"));
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
