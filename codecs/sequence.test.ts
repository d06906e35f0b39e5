import fc from "fast-check";
import { expect, it } from "vitest";
import { u48 } from "../test/generators/media.ts";
import { readU48, writeU48 } from "./big-endian.ts";
import {
  combineSequence,
  compareSequence,
  extendSequence,
  MAX_SEQUENCE,
  sequenceHigh,
  sequenceLow,
} from "./sequence.ts";

it("splits into 32 and 16 bits and combines again", () => {
  fc.assert(
    fc.property(u48, (sequence) => {
      expect(sequenceHigh(sequence)).toBeLessThan(2 ** 32);
      expect(sequenceLow(sequence)).toBeLessThan(2 ** 16);
      expect(combineSequence(sequenceHigh(sequence), sequenceLow(sequence))).toBe(sequence);
    }),
  );
  expect(combineSequence(0xffffffff, 0xffff)).toBe(MAX_SEQUENCE);
  expect(combineSequence(0x0001_0000, 0x0001)).toBe(0x1_0000_0001);
});

it("is the same 48 bits in six bytes", () => {
  fc.assert(
    fc.property(u48, (sequence) => {
      const bytes = new Uint8Array(6);
      expect(writeU48(bytes, 0, sequence)).toBe(6);
      expect(readU48(bytes, 0)).toBe(sequence);
      expect(bytes.toHex()).toBe(sequence.toString(16).padStart(12, "0"));
    }),
  );
});

it("sorts", () => {
  expect([3, MAX_SEQUENCE, 0, 0x10000, 0xffff].sort(compareSequence)).toEqual([
    0,
    3,
    0xffff,
    0x10000,
    MAX_SEQUENCE,
  ]);
});

it("finds the number that 16 bits mean near another, across wraps", () => {
  fc.assert(
    fc.property(u48, fc.integer({ min: -0x7fff, max: 0x8000 }), (reference, distance) => {
      const meant = reference + distance;
      fc.pre(meant >= 0 && meant <= MAX_SEQUENCE);
      expect(extendSequence(reference, sequenceLow(meant))).toBe(meant);
    }),
  );
});

it("stays in range at both ends when it extends", () => {
  expect(extendSequence(2, 0xffff)).toBe(0xffff);
  expect(extendSequence(MAX_SEQUENCE - 1, 3)).toBe(MAX_SEQUENCE - 0xffff + 3);
});
