import { describe, expect, it } from "vitest";
import { encodeHex } from "../../codecs/hex.ts";
import { portableSha256 } from "../../codecs/sha256.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { sha256 } from "./sha256.ts";

describe("SHA-256", () => {
  // FIPS 180-4, as NIST's examples have them.
  it.each([
    ["", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ["abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
  ])("of %j", (text, digest) => {
    const message = new TextEncoder().encode(text);
    expect(encodeHex(sha256(message))).toBe(digest);
    expect(encodeHex(portableSha256(message))).toBe(digest);
  });

  it("is the same of any bytes, wherever they lie, as that in JavaScript", () => {
    const random = new SeededRandom(1);
    for (let length = 0; length < 400; length += 1) {
      const around = Uint8Array.from({ length: length + 9 }, () => random.integer(256));
      const message = around.subarray(5, 5 + length);
      const digest = sha256(message);
      expect(digest.length).toBe(32);
      expect(Buffer.compare(digest, portableSha256(message))).toBe(0);
    }
  });
});
