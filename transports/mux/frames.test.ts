import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeHex, encodeHex } from "../../codecs/hex.ts";
import { textOf } from "../../test/house/tree.ts";
import { decodeFrame, encodeFrame, MAX_CHUNK_BYTES, MAX_MESSAGE_BYTES, type MuxFrame } from "./frames.ts";

const number = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const frames: fc.Arbitrary<MuxFrame> = fc.oneof(
  fc.record({ type: fc.constant("datagram" as const), bytes: fc.uint8Array({ maxLength: 1150 }) }),
  fc.record({ type: fc.constantFrom("open" as const, "finish" as const), stream: number }),
  fc.record({ type: fc.constantFrom("reset" as const, "stop" as const), stream: number, code: number }),
  fc.record({ type: fc.constant("credit" as const), stream: number, limit: number }),
  fc.record({
    type: fc.constant("streams" as const),
    kind: fc.constantFrom("exchange" as const, "stream" as const),
    limit: number,
  }),
  fc.record({ type: fc.constant("taken" as const), total: number }),
  fc.record({
    type: fc.constant("close" as const),
    code: number,
    reason: fc.string({ unit: "grapheme", maxLength: 40 }),
  }),
  fc.record({
    type: fc.constant("data" as const),
    stream: number,
    bytes: fc.uint8Array({ minLength: 1, maxLength: 200 }),
  }),
);

/** The examples of docs/wire-websocket.md, in their order: what they say, and their bytes. */
const EXAMPLES: readonly MuxFrame[] = [
  { type: "datagram", bytes: Uint8Array.of(0x41, 0x42) },
  { type: "open", stream: 4 },
  { type: "data", stream: 4, bytes: new TextEncoder().encode("hi") },
  { type: "finish", stream: 4 },
  { type: "reset", stream: 4, code: 9 },
  { type: "stop", stream: 4, code: 9 },
  { type: "credit", stream: 4, limit: 131_072 },
  { type: "streams", kind: "stream", limit: 150 },
  { type: "taken", total: 16_384 },
  { type: "close", code: 4, reason: "bye" },
];

describe("frames of the multiplexer", () => {
  test("come back as they went", () => {
    fc.assert(
      fc.property(frames, (frame) => {
        expect(decodeFrame(encodeFrame(frame))).toEqual({ ok: true, value: frame });
      }),
    );
  });

  test("never throw when anything is decoded, and say again what they were decoded from or a shorter form of it", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const decoded = decodeFrame(bytes);
        if (decoded.ok) expect(encodeFrame(decoded.value).length).toBeLessThanOrEqual(bytes.length);
        else expect(decoded.fault.code).toBe("mux-malformed");
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ["nothing", ""],
    ["an unknown type", "0a"],
    ["a cut number", "0140"],
    ["a number past 2^53-1", "01ffffffffffffffff"],
    ["bytes behind the end", "010400"],
    ["a chunk of nothing", "0204"],
    ["an unknown kind of stream", "070205"],
    ["a reason that is no UTF-8", "0900ff"],
  ])("refuse %s", (_, hex) => {
    const bytes = decodeHex(hex, hex.length / 2, "example");
    if (!bytes.ok) throw new Error(bytes.fault.message);
    expect(decodeFrame(bytes.value)).toMatchObject({ ok: false, fault: { code: "mux-malformed" } });
  });

  test("refuse what is larger than its kind may be", () => {
    const sizes: readonly MuxFrame[] = [
      { type: "datagram", bytes: new Uint8Array(1151) },
      { type: "data", stream: 0, bytes: new Uint8Array(MAX_CHUNK_BYTES + 1) },
      { type: "close", code: 0, reason: "x".repeat(1025) },
    ];
    for (const frame of sizes) expect(decodeFrame(encodeFrame(frame)).ok).toBe(false);
    const largest = encodeFrame({
      type: "data",
      stream: Number.MAX_SAFE_INTEGER,
      bytes: new Uint8Array(MAX_CHUNK_BYTES),
    });
    expect(largest.length).toBe(MAX_MESSAGE_BYTES);
    expect(decodeFrame(largest).ok).toBe(true);
  });

  test("are documented with these very bytes", () => {
    const documented = [
      ...textOf("docs/wire-websocket.md").matchAll(/\| `([0-9a-f]{2}(?: [0-9a-f]{2})*)` \|/g),
    ];
    expect(documented.map(([, hex]) => hex)).toEqual(
      EXAMPLES.map((frame) => encodeHex(encodeFrame(frame)).replaceAll(/(..)(?!$)/g, "$1 ")),
    );
  });
});
