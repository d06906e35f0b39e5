import fc from "fast-check";
import { expect, it } from "vitest";
import {
  encodeVarint,
  MAX_VARINT_BYTES,
  readVarint,
  varintLength,
  varintSize,
  writeVarint,
} from "./varint.ts";

const representable = fc.oneof(
  fc.integer({ min: 0, max: 70 }),
  fc.integer({ min: 0x3ff0, max: 0x4010 }),
  fc.integer({ min: 0x3ffffff0, max: 0x40000010 }),
  fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
);

it.each([
  ["25", 37, true],
  ["4025", 37, false],
  ["7bbd", 15_293, true],
  ["9d7f3e7d", 494_878_333, true],
])("reads the example of RFC 9000 appendix A.1: %s", (hex, value, shortest) => {
  const bytes = Uint8Array.fromHex(hex);
  expect(readVarint(bytes, 0)).toBe(value);
  expect(varintLength(bytes[0] as number)).toBe(bytes.length);
  expect(encodeVarint(value).toHex() === hex).toBe(shortest);
});

it("says Infinity where JS numbers end, as in the eight-byte example of RFC 9000 appendix A.1", () => {
  expect(readVarint(Uint8Array.fromHex("c2197c5eff14e88c"), 0)).toBe(Number.POSITIVE_INFINITY);
  expect(readVarint(Uint8Array.fromHex("ffffffffffffffff"), 0)).toBe(Number.POSITIVE_INFINITY);
  expect(readVarint(Uint8Array.fromHex("c020000000000000"), 0)).toBe(Number.POSITIVE_INFINITY);
  expect(readVarint(Uint8Array.fromHex("c01fffffffffffff"), 0)).toBe(Number.MAX_SAFE_INTEGER);
});

it("reads back what it writes, anywhere, in the fewest bytes", () => {
  fc.assert(
    fc.property(representable, fc.nat(5), (value, offset) => {
      const target = new Uint8Array(offset + MAX_VARINT_BYTES + 1).fill(0xaa);
      const end = writeVarint(target, offset, value);
      expect(end - offset).toBe(varintSize(value));
      expect(varintLength(target[offset] as number)).toBe(varintSize(value));
      expect(readVarint(target, offset)).toBe(value);
      expect([...target.subarray(0, offset), ...target.subarray(end)].every((byte) => byte === 0xaa)).toBe(
        true,
      );
      expect(target.subarray(offset, end)).toEqual(encodeVarint(value));
    }),
  );
  for (const [value, size] of [
    [63, 1],
    [64, 2],
    [16_383, 2],
    [16_384, 4],
    [2 ** 30 - 1, 4],
    [2 ** 30, 8],
  ] as const) {
    expect(varintSize(value)).toBe(size);
  }
});

it("reads each of the longer encodings a value may have", () => {
  expect(readVarint(Uint8Array.fromHex("4001"), 0)).toBe(1);
  expect(readVarint(Uint8Array.fromHex("80000001"), 0)).toBe(1);
  expect(readVarint(Uint8Array.fromHex("c000000000000001"), 0)).toBe(1);
});

it("says NaN wherever the bytes end too soon", () => {
  fc.assert(
    fc.property(representable, (value) => {
      const bytes = encodeVarint(value);
      for (let length = 0; length < bytes.length; length++) {
        expect(readVarint(bytes.subarray(0, length), 0)).toBeNaN();
        expect(readVarint(bytes, 0, length)).toBeNaN();
      }
    }),
  );
  expect(readVarint(new Uint8Array(3), 7)).toBeNaN();
});

it.each([-1, 0.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY])("does not encode %s", (value) => {
  expect(() => encodeVarint(value)).toThrow(expect.objectContaining({ code: "field-invalid" }));
});
