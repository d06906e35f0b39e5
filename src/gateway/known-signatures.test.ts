import { describe, expect, it } from "vitest";
import type { Verifier } from "../../codecs/signer.ts";
import { createSigner, verifier } from "../../platform/node/sodium.ts";
import { KnownSignatures } from "./known-signatures.ts";

const signer = createSigner(new Uint8Array(32).fill(1));
const message = new Uint8Array(312).fill(7);
const signature = signer.sign(message);

/** Known signatures, and how many were computed. */
function counted(): { readonly known: KnownSignatures; readonly computed: () => number } {
  let count = 0;
  const real: Verifier = {
    verify(...proof) {
      count += 1;
      return verifier.verify(...proof);
    },
    isAcceptableKey: (key) => verifier.isAcceptableKey(key),
  };
  return { known: new KnownSignatures(real), computed: () => count };
}

/** The bytes, one of them another. */
function spoilt(bytes: Uint8Array, at: number): Uint8Array {
  return bytes.with(at, (bytes[at] as number) ^ 1);
}

describe("known signatures", () => {
  it("are computed once, whether they were checked or made here", () => {
    const { known, computed } = counted();
    known.remember();
    for (let time = 0; time < 3; time += 1)
      expect(known.verify(signer.publicKey, message, signature)).toBe(true);
    expect(computed()).toBe(1);
    const own = known.signer(signer);
    const words = new Uint8Array(200).fill(9);
    const signed = own.sign(words);
    expect([own.publicKey, signed]).toEqual([signer.publicKey, signer.sign(words)]);
    expect(known.verify(own.publicKey, words, signed)).toBe(true);
    expect(computed()).toBe(1);
  });

  it("are no others: of another message, key or signature, or another length", () => {
    const { known, computed } = counted();
    known.remember();
    expect(known.verify(signer.publicKey, message, signature)).toBe(true);
    const other = createSigner(new Uint8Array(32).fill(2));
    const wrong = [
      [signer.publicKey, spoilt(message, 0), signature],
      [signer.publicKey, spoilt(message, 311), signature],
      [signer.publicKey, message.subarray(1), signature],
      [signer.publicKey, new Uint8Array(0), signature],
      [other.publicKey, message, signature],
      [signer.publicKey, message, spoilt(signature, 63)],
      [signer.publicKey, message, signature.subarray(0, 63)],
      [signer.publicKey.subarray(1), message, signature],
    ] as const;
    for (const [key, words, proof] of wrong) expect(known.verify(key, words, proof)).toBe(false);
    expect(computed()).toBe(1 + wrong.length);
    // What does not hold is not known afterwards either.
    for (const [key, words, proof] of wrong) expect(known.verify(key, words, proof)).toBe(false);
  });

  it("do not change with the buffers that they came in", () => {
    const { known } = counted();
    known.remember();
    const buffer = message.slice();
    const proof = signature.slice();
    expect(known.verify(signer.publicKey, buffer, proof)).toBe(true);
    buffer.fill(0);
    expect(known.verify(signer.publicKey, buffer, proof)).toBe(false);
    expect(known.verify(signer.publicKey, message, signature)).toBe(true);
    const own = known.signer(signer);
    const words = new Uint8Array(200).fill(9);
    const signed = own.sign(words);
    words.fill(0);
    expect(known.verify(own.publicKey, words, signed)).toBe(false);
  });

  it("are forgotten for later ones, and those of long messages are not kept", () => {
    const { known, computed } = counted();
    known.remember();
    const own = known.signer(signer);
    known.verify(signer.publicKey, message, signature);
    for (let index = 0; index < 8_192; index += 1) own.sign(Uint8Array.of(index >> 8, index & 0xff));
    expect(known.verify(signer.publicKey, message, signature)).toBe(true);
    expect(computed()).toBe(2);
    const long = new Uint8Array(1_537);
    expect(known.verify(signer.publicKey, long, own.sign(long))).toBe(true);
    expect(computed()).toBe(3);
  });

  it("are not remembered before somebody may ask twice", () => {
    const { known, computed } = counted();
    known.verify(signer.publicKey, message, signature);
    known.verify(signer.publicKey, message, signature);
    expect(computed()).toBe(2);
    expect(known.isAcceptableKey(signer.publicKey)).toBe(true);
  });
});
