/** The wasm build of libsodium against the native one: browsers and servers must never judge a signature or a key differently. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import native from "sodium-native";
import { describe, expect, test } from "vitest";
import { ODD_KEYS } from "../../test/odd-keys.ts";
import * as node from "../node/sodium.ts";
import { loadSodium } from "./sodium.ts";

const wasm = await loadSodium();
const hex = (text: string) => new Uint8Array(Buffer.from(text, "hex"));
const toHex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const vectors: Record<"name" | "seed" | "public_key" | "message" | "signature", string>[] = JSON.parse(
  readFileSync(new URL("../../test/vectors/rfc8032/ed25519.json", import.meta.url), "utf8"),
);

/** One verdict, which both builds must share. */
function verdict(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const holds = wasm.verifier.verify(key, message, signature);
  expect(holds, `${toHex(key)} ${toHex(signature)}`).toBe(node.verifier.verify(key, message, signature));
  return holds;
}

function acceptable(key: Uint8Array): boolean {
  const accepted = wasm.verifier.isAcceptableKey(key);
  expect(accepted, toHex(key)).toBe(node.verifier.isAcceptableKey(key));
  return accepted;
}

describe("RFC 8032 7.1", () => {
  test.each(vectors)("$name: the same key, signature and verdict", (vector) => {
    const signer = wasm.createSigner(hex(vector.seed));
    const signature = signer.sign(hex(vector.message));
    expect(toHex(signer.publicKey)).toBe(vector.public_key);
    expect(toHex(signature)).toBe(vector.signature);
    expect(verdict(signer.publicKey, hex(vector.message), signature)).toBe(true);
    expect(acceptable(signer.publicKey)).toBe(true);
  });

  test.each(vectors)("$name: S + L is refused by both", (vector) => {
    const altered = hex(vector.signature);
    const s = BigInt(`0x${toHex(altered.slice(32).reverse())}`) + ORDER;
    altered.set(hex(s.toString(16).padStart(64, "0")).reverse(), 32);
    expect(verdict(hex(vector.public_key), hex(vector.message), altered)).toBe(false);
  });
});

describe("keys that no key may be", () => {
  test("small order and odd encodings: refused by both, also with the signature that fits any message", () => {
    // S = 1, R = B: for the identity as key, S·B = R + h·A whatever the message.
    const forged = hex(`58${"66".repeat(31)}01${"00".repeat(31)}`);
    for (const key of ODD_KEYS) {
      expect(acceptable(key)).toBe(false);
      for (let i = 0; i < 16; i += 1) expect(verdict(key, new Uint8Array([i]), forged)).toBe(false);
    }
  });

  test("a key with a part of small order added: the same verdict for each of the eight", () => {
    const key = wasm.createSigner(new Uint8Array(32).fill(7)).publicKey;
    const verdicts = ODD_KEYS.slice(0, 8).map((small) => {
      const sum = Buffer.alloc(32);
      native.crypto_core_ed25519_add(sum, Buffer.from(key), Buffer.from(small));
      return acceptable(new Uint8Array(sum));
    });
    // The first is the identity, which adds nothing.
    expect(verdicts).toEqual([true, ...Array<boolean>(7).fill(false)]);
  });

  test("any 32 bytes, and bytes next to the field's order", () => {
    const bytes = fc.uint8Array({ minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(bytes, (key) => void acceptable(key)),
      { numRuns: 500 },
    );
    for (let low = 0; low < 256; low += 1) {
      for (const high of ["7f", "ff", "7e", "fe"]) {
        acceptable(hex(`${low.toString(16).padStart(2, "0")}${"ff".repeat(30)}${high}`));
      }
    }
  });
});

test("any flipped bit of key, message or signature: the same verdict", () => {
  const body = fc.uint8Array({ minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), body, fc.nat(), (seed, message, flip) => {
      const signer = wasm.createSigner(seed);
      const signature = signer.sign(message);
      expect(toHex(signature)).toBe(toHex(node.createSigner(seed).sign(message)));
      expect(verdict(signer.publicKey, message, signature)).toBe(true);
      for (const bytes of [signature.slice(), signer.publicKey.slice(), message.slice()]) {
        const at = (flip >> 3) % bytes.length;
        bytes[at] = (bytes[at] as number) ^ (1 << (flip & 7));
        if (bytes.length === 64) expect(verdict(signer.publicKey, message, bytes)).toBe(false);
        verdict(bytes.length === 32 ? bytes : signer.publicKey, message, signature);
      }
    }),
    { numRuns: 150 },
  );
});

test("wrong lengths and junk are false, never an exception", () => {
  const signer = wasm.createSigner(new Uint8Array(32).fill(1));
  const message = new Uint8Array(10);
  const signature = signer.sign(message);
  for (const junk of [undefined, null, 7, "key", {}, [], new Uint8Array(31), new ArrayBuffer(32)]) {
    const odd = junk as unknown as Uint8Array;
    expect(wasm.verifier.verify(odd, message, signature)).toBe(false);
    expect(wasm.verifier.verify(signer.publicKey, message, odd)).toBe(false);
    expect(wasm.verifier.verify(signer.publicKey, odd, signature)).toBe(false);
    expect(wasm.verifier.isAcceptableKey(odd)).toBe(false);
  }
  expect(() => wasm.createSigner(new Uint8Array(31))).toThrow(
    expect.objectContaining({ code: "field-invalid" }),
  );
});

/** The group order L of RFC 8032 5.1. */
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
