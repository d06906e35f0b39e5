import { describe, expect, it } from "vitest";
import { parseRed } from "../codecs/red.ts";
import { MAX_PAYLOAD_BYTES } from "../signaling/negotiate-audio.ts";
import { type RedundancyLevel, RedundancyWriter, unwrapRedundant } from "./redundancy.ts";

const payload = (byte: number, length = 3) => new Uint8Array(length).fill(byte);

function writer(level: RedundancyLevel): RedundancyWriter {
  const made = new RedundancyWriter({ payloadType: 111, redPayloadType: 63 });
  made.level = level;
  return made;
}

/** First bytes of the earlier payloads that a wrapped one carries, and their offsets. */
function carried(wrapped: { readonly payloadType: number; readonly payload: Uint8Array }): number[][] {
  if (wrapped.payloadType !== 63) return [];
  const red = parseRed(wrapped.payload);
  if (!red.ok) throw new Error(red.fault.message);
  return red.value.earlier.map((block) => [block.payload[0] ?? -1, block.timestampOffset]);
}

describe("what frames carry of the ones before them", () => {
  it("is nothing at level 0, and as many as the level says from the next frame on", () => {
    const red = writer(0);
    expect(red.wrap(payload(1), 0)).toEqual({ payloadType: 111, payload: payload(1), extra: 0 });
    red.level = 2;
    expect(carried(red.wrap(payload(2), 960))).toEqual([]);
    expect(carried(red.wrap(payload(3), 1920))).toEqual([[2, 960]]);
    expect(carried(red.wrap(payload(4), 2880))).toEqual([
      [2, 1920],
      [3, 960],
    ]);
    expect(carried(red.wrap(payload(5), 3840))).toEqual([
      [3, 1920],
      [4, 960],
    ]);
    red.level = 1;
    const { extra, ...one } = red.wrap(payload(6), 4800);
    expect(carried(one)).toEqual([[5, 960]]);
    expect(extra).toBe(4 + 1 + 3);
    red.level = 0;
    expect(carried(red.wrap(payload(7), 5760))).toEqual([]);
  });

  it("keeps what it was given, also where the encoder writes over it", () => {
    const red = writer(1);
    const lent = payload(1);
    red.wrap(lent, 0);
    lent.fill(9);
    expect(carried(red.wrap(payload(2), 960))).toEqual([[1, 960]]);
  });

  it("begins anew with a turn", () => {
    const red = writer(2);
    red.wrap(payload(1), 0);
    red.restart();
    expect(carried(red.wrap(payload(2), 960))).toEqual([]);
  });

  it("leaves out what lies too far back, and what does not fit a datagram, and everything before it", () => {
    const red = writer(2);
    red.wrap(payload(1), 0);
    red.wrap(payload(2), 960);
    expect(carried(red.wrap(payload(3), 960 + 0x3fff))).toEqual([[2, 0x3fff]]);
    const full = writer(2);
    full.wrap(payload(1, 10), 0);
    full.wrap(payload(2, 480), 480);
    const wrapped = full.wrap(payload(3, 480), 960);
    expect(carried(wrapped)).toEqual([[2, 480]]);
    expect(wrapped.payload.length).toBeLessThanOrEqual(MAX_PAYLOAD_BYTES);
  });
});

describe("what a listener makes of them", () => {
  const agreed = { payloadType: 111, clockRate: 48_000 };
  const unwrap = (bytes: Uint8Array, sequence = 100) =>
    unwrapRedundant({ sequence, timestamp: 500, captured: 10_000, payload: bytes }, agreed);

  it("is the frames right before it, each at its place", () => {
    const red = writer(2);
    for (const at of [1, 2]) red.wrap(payload(at), at * 960);
    expect(unwrap(red.wrap(payload(3), 3 * 960).payload)).toEqual({
      ok: true,
      value: {
        payload: payload(3),
        earlier: [
          { sequence: 98, timestamp: 2 ** 32 + 500 - 1920, captured: 9_960, payload: payload(1) },
          { sequence: 99, timestamp: 2 ** 32 + 500 - 960, captured: 9_980, payload: payload(2) },
        ],
      },
    });
  });

  it("is refused where it carries another format, frames out of order, or some before the first", () => {
    const other = new RedundancyWriter({ payloadType: 8, redPayloadType: 63 });
    other.level = 1;
    other.wrap(payload(1), 0);
    expect(unwrap(other.wrap(payload(2), 960).payload).ok).toBe(false);
    const twice = Uint8Array.of(0xef, 0x0f, 0, 1, 0xef, 0x0f, 0, 1, 0x6f, 1, 1, 1);
    expect(unwrap(twice).ok).toBe(false);
    const itself = Uint8Array.of(0xef, 0, 0, 1, 0x6f, 1, 1);
    expect(unwrap(itself).ok).toBe(false);
    const red = writer(1);
    red.wrap(payload(1), 0);
    expect(unwrap(red.wrap(payload(2), 960).payload, 0).ok).toBe(false);
  });
});
