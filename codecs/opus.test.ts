import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type OpusBandwidth, type OpusMode, type OpusPacket, parseOpusPacket } from "./opus.ts";

function packet(...bytes: number[]): OpusPacket | string {
  const read = parseOpusPacket(Uint8Array.from(bytes));
  return read.ok ? read.value : `${read.fault.code}: ${read.fault.message}`;
}

const of = (length: number) => new Array<number>(length).fill(0);

/** RFC 6716 table 2, row by row: mode, bandwidth, frame sizes in ms. */
const CONFIGURATIONS: readonly (readonly [OpusMode, OpusBandwidth, readonly number[]])[] = [
  ["silk", "narrow", [10, 20, 40, 60]],
  ["silk", "medium", [10, 20, 40, 60]],
  ["silk", "wide", [10, 20, 40, 60]],
  ["hybrid", "superwide", [10, 20]],
  ["hybrid", "full", [10, 20]],
  ["celt", "narrow", [2.5, 5, 10, 20]],
  ["celt", "wide", [2.5, 5, 10, 20]],
  ["celt", "superwide", [2.5, 5, 10, 20]],
  ["celt", "full", [2.5, 5, 10, 20]],
];

it("reads all 32 configurations of RFC 6716 table 2, mono and stereo", () => {
  let config = 0;
  for (const [mode, bandwidth, sizes] of CONFIGURATIONS) {
    for (const ms of sizes) {
      for (const stereo of [0, 1]) {
        expect(packet((config << 3) | (stereo << 2), 1, 2, 3)).toEqual({
          mode,
          bandwidth,
          channels: stereo + 1,
          frames: 1,
          frameSamples: ms * 48,
          samples: ms * 48,
        });
      }
      config++;
    }
  }
  expect(config).toBe(32);
});

describe("a packet of several frames", () => {
  /** Hybrid full band, 20 ms. */
  const TOC = 15 << 3;

  it.each<[string, number, number[]]>([
    ["two of equal length", 2, [TOC | 1, 1, 2, 3, 4]],
    ["two empty ones", 2, [TOC | 1]],
    ["two of their own length", 2, [TOC | 2, 1, 9, 8, 8]],
    ["two, the first long", 2, [TOC | 2, 252, 1, ...of(256), 8]],
    ["three of equal length", 3, [TOC | 3, 3, 1, 2, 3, 4, 5, 6]],
    ["three of their own length", 3, [TOC | 3, 0x83, 1, 2, 7, 7, 7, 7]],
    ["one padded", 1, [TOC | 3, 0x41, 2, 7, 7, 0, 0]],
    ["one padded by 256", 1, [TOC | 3, 0x41, 255, 2, 7, ...of(256)]],
    ["six, 120 ms", 6, [TOC | 3, 6, ...of(12)]],
  ])("holds %s", (_name, frames, bytes) => {
    expect(packet(...bytes)).toMatchObject({ frames, samples: frames * 960 });
  });

  it.each<[string, number[]]>([
    ["R1: no byte at all", []],
    ["R2: a frame of 1,276 bytes", [TOC, ...of(1276)]],
    ["R2: two of 1,276 bytes", [TOC | 1, ...of(2552)]],
    ["R2: a second frame of 1,276 bytes", [TOC | 2, 0, ...of(1276)]],
    ["R2: a counted frame of 1,276 bytes", [TOC | 3, 1, ...of(1276)]],
    ["R2: a last frame of 1,276 bytes", [TOC | 3, 0x82, 0, ...of(1276)]],
    ["R3: two halves of an odd length", [TOC | 1, 1, 2, 3]],
    ["R4: no length of the first", [TOC | 2]],
    ["R4: half a length of the first", [TOC | 2, 252]],
    ["R4: a first longer than the packet", [TOC | 2, 3, 1, 2]],
    ["R5: no count", [TOC | 3]],
    ["R5: a count of 0", [TOC | 3, 0]],
    ["R5: more than 120 ms", [TOC | 3, 7, ...of(14)]],
    ["R6: frames of unequal length", [TOC | 3, 3, 1, 2]],
    ["R6: padding past the end", [TOC | 3, 0x41, 3, 1, 2]],
    ["R6: padding without a length", [TOC | 3, 0x41]],
    ["R6: padding length cut", [TOC | 3, 0x41, 255]],
    ["R7: lengths past the end", [TOC | 3, 0x83, 1]],
    ["R7: frames past the end", [TOC | 3, 0x83, 3, 3, 1, 2]],
    ["R7: frames into the padding", [TOC | 3, 0xc2, 1, 2, 1, 0]],
  ])("breaking %s is refused", (_name, bytes) => {
    expect(packet(...bytes)).toMatch(/^payload-malformed: /);
  });
});

it("any bytes at all are told without throwing, and never last past 120 ms", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const read = parseOpusPacket(bytes);
      if (read.ok) expect(read.value.samples).toBeLessThanOrEqual(5760);
    }),
    { numRuns: 2000 },
  );
});
