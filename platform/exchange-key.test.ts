/** X25519 and keyed tags: both builds of libsodium against RFC 7748, against other code, and against each other. */
import { blake2b } from "@noble/hashes/blake2.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { loadSodium } from "./browser/sodium.ts";
import * as node from "./node/sodium.ts";

const wasm = await loadSodium();
const builds = [
  ["native", node],
  ["wasm", wasm],
] as const;
const hex = (text: string) => new Uint8Array(Buffer.from(text, "hex"));

/** RFC 7748 6.1. */
const RFC7748 = {
  alice: hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"),
  alicePublic: hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"),
  bob: hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"),
  shared: hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"),
};

describe.each(builds)("%s", (_, { createExchangeKey, frameMac }) => {
  it("agrees on the shared secret of RFC 7748", () => {
    const alice = createExchangeKey(RFC7748.alice);
    const bob = createExchangeKey(RFC7748.bob);
    expect(alice.publicKey).toEqual(RFC7748.alicePublic);
    expect(alice.agree(bob.publicKey)).toEqual(RFC7748.shared);
    expect(bob.agree(alice.publicKey)).toEqual(RFC7748.shared);
  });

  it("makes a pair of its own each time, and copies a secret that it is given", () => {
    expect(createExchangeKey().publicKey).not.toEqual(createExchangeKey().publicKey);
    const secret = RFC7748.alice.slice();
    const alice = createExchangeKey(secret);
    secret.fill(0);
    expect(alice.agree(createExchangeKey(RFC7748.bob).publicKey)).toEqual(RFC7748.shared);
    expect(Object.keys(alice).sort()).toEqual(["agree", "publicKey"]);
  });

  it.each([
    ["zero", "00".repeat(32)],
    ["one", `01${"00".repeat(31)}`],
    ["order 8", "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"],
    ["p - 1", `ec${"ff".repeat(30)}7f`],
  ])("agrees on nothing with the small-order point %s", (_name, point) => {
    expect(() => createExchangeKey().agree(hex(point))).toThrow(
      expect.objectContaining({ code: "key-unacceptable" }),
    );
  });

  it("tags as keyed BLAKE2b does elsewhere, and knows its own tags", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.uint8Array({ maxLength: 400 }),
        (key, message) => {
          const tag = frameMac.tag(key, message);
          expect(tag).toEqual(blake2b(message, { key, dkLen: 16 }));
          expect(frameMac.holds(key, message, tag)).toBe(true);
        },
      ),
      { numRuns: 50 },
    );
  });

  it("holds for no other tag, message or key, whichever bit differs", () => {
    const [key, message] = [new Uint8Array(32).fill(1), new Uint8Array(100).fill(2)];
    const tag = frameMac.tag(key, message);
    for (const part of [key, message, tag]) {
      for (let bit = 0; bit < part.length * 8; bit += 1) {
        const at = bit >> 3;
        part[at] = (part[at] ?? 0) ^ (1 << (bit & 7));
        expect(frameMac.holds(key, message, tag)).toBe(false);
        part[at] = (part[at] ?? 0) ^ (1 << (bit & 7));
      }
    }
    expect(frameMac.holds(key, message, tag)).toBe(true);
  });

  it("holds for nothing of a wrong length or type, without an exception", () => {
    const [key, message] = [new Uint8Array(32), new Uint8Array(5)];
    const tag = frameMac.tag(key, message);
    for (const junk of [
      undefined,
      null,
      7,
      "tag",
      new Uint8Array(0),
      new Uint8Array(15),
      new Uint8Array(64),
    ]) {
      const odd = junk as unknown as Uint8Array;
      expect(frameMac.holds(odd, message, tag)).toBe(false);
      expect(frameMac.holds(key, message, odd)).toBe(false);
    }
  });
});
