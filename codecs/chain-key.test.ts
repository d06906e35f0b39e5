import { hkdfSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { deriveTagKey, type TagPlace } from "./chain-key.ts";

const shared = new Uint8Array(32).fill(5);
const place: TagPlace = {
  sessionDigest: new Uint8Array(32).fill(9),
  leg: 1,
  stream: 0x0102_0304,
  speakerGeneration: 2,
  listenerGeneration: 3,
};

describe("the key of a stream's tags", () => {
  it("is what other code derives of the layout in the documents", () => {
    const info = Buffer.concat([Buffer.from("\0parley chain v1\0"), Buffer.from("0001010203040203", "hex")]);
    const expected = hkdfSync("sha256", shared, place.sessionDigest, info, 32);
    expect(deriveTagKey(shared, place)).toEqual(new Uint8Array(expected));
  });

  it("is another one for each session, leg, stream, key generation of either end, and secret", () => {
    const keys = [
      deriveTagKey(shared, place),
      deriveTagKey(new Uint8Array(32).fill(6), place),
      deriveTagKey(shared, { ...place, sessionDigest: new Uint8Array(32).fill(8) }),
      deriveTagKey(shared, { ...place, leg: 0 }),
      deriveTagKey(shared, { ...place, stream: 1 }),
      deriveTagKey(shared, { ...place, speakerGeneration: 3 }),
      deriveTagKey(shared, { ...place, listenerGeneration: 2 }),
      deriveTagKey(shared, { ...place, speakerGeneration: 3, listenerGeneration: 2 }),
    ];
    expect(new Set(keys.map((key) => Buffer.from(key).toString("hex"))).size).toBe(keys.length);
  });

  it.each([
    ["shared", () => deriveTagKey(new Uint8Array(31), place)],
    ["sessionDigest", () => deriveTagKey(shared, { ...place, sessionDigest: new Uint8Array(31) })],
    ["leg", () => deriveTagKey(shared, { ...place, leg: 65_536 })],
    ["stream", () => deriveTagKey(shared, { ...place, stream: -1 })],
    ["speakerGeneration", () => deriveTagKey(shared, { ...place, speakerGeneration: 16 })],
  ] as const)("is not made of a %s out of range", (at, derive) => {
    expect(derive).toThrow(expect.objectContaining({ code: "field-invalid", at }));
  });
});
