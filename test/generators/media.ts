/** Generators of media values for property tests. */
import fc from "fast-check";
import type { FrameFields, Recorded } from "../../codecs/frame.ts";
import type { NtpTime } from "../../codecs/ntp.ts";

export const u16 = fc.integer({ min: 0, max: 0xffff });
export const u32 = fc.integer({ min: 0, max: 0xffffffff });
export const u48 = fc.maxSafeInteger().map((value) => Math.abs(value) % 2 ** 48);

export const ntpTime: fc.Arbitrary<NtpTime> = fc.record({ seconds: u32, fraction: u32 });

/** Exactly `length` bytes. */
export function bytes(length: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: length, maxLength: length });
}

const recorded: fc.Arbitrary<Recorded> = fc.record({
  sessionDigest: bytes(32),
  stream: u32,
  sequence: u48,
  capture: ntpTime,
});

/** Any frame, with any of the optional elements. */
export const frameFields: fc.Arbitrary<FrameFields> = fc.record(
  {
    profile: fc.constantFrom("frame", "chain"),
    keyGeneration: fc.integer({ min: 0, max: 15 }),
    sequence: u48,
    captureSeconds: u32,
    captureFraction: u32,
    payloadType: fc.integer({ min: 0, max: 127 }),
    marker: fc.boolean(),
    timestamp: u32,
    ssrc: u32,
    info: fc.record({
      keyFrame: fc.boolean(),
      startOfTurn: fc.boolean(),
      endOfTurn: fc.boolean(),
      layer: fc.integer({ min: 0, max: 31 }),
      needs: fc.integer({ min: 0, max: 255 }),
    }),
    epoch: u32,
    audioLevel: fc.record({ level: fc.integer({ min: 0, max: 127 }), voice: fc.boolean() }),
    recorded,
    payload: fc.uint8Array({ maxLength: 400 }),
  },
  {
    requiredKeys: [
      "profile",
      "keyGeneration",
      "sequence",
      "captureSeconds",
      "captureFraction",
      "payloadType",
      "timestamp",
      "ssrc",
      "payload",
    ],
  },
);

/** Every copy of `original` with one bit turned over. */
export function* bitFlips(
  original: Uint8Array,
): Generator<{ readonly bit: number; readonly bytes: Uint8Array }> {
  for (let bit = 0; bit < original.length * 8; bit++) {
    const copy = original.slice();
    copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7));
    yield { bit, bytes: copy };
  }
}
