import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseVp8Payload, readVp8Frame, type Vp8Descriptor, writeVp8Payload } from "./vp8.ts";

/** A key frame of 176 by 144 with a first partition of two bytes. */
const KEY = Uint8Array.of(0x50, 0, 0, 0x9d, 0x01, 0x2a, 176, 0x40, 144, 0x80, 1, 2);
const DELTA = Uint8Array.of(0x31, 0, 0, 7);

const descriptors: fc.Arbitrary<Vp8Descriptor> = fc
  .record({
    pictureId: fc.option(
      fc.oneof(
        fc.record({ value: fc.integer({ min: 0, max: 127 }), bits: fc.constant(7 as const) }),
        fc.record({ value: fc.integer({ min: 0, max: 32_767 }), bits: fc.constant(15 as const) }),
      ),
    ),
    layered: fc.option(
      fc.record(
        {
          layer: fc.integer({ min: 0, max: 3 }),
          layerSync: fc.boolean(),
          baseIndex: fc.integer({ min: 0, max: 255 }),
        },
        { requiredKeys: ["layer", "layerSync"] },
      ),
    ),
    keyIndex: fc.option(fc.integer({ min: 0, max: 31 })),
    nonReference: fc.boolean(),
  })
  .map(({ pictureId, layered, keyIndex, nonReference }) => ({
    ...(pictureId === null ? {} : { pictureId }),
    ...(layered === null ? {} : layered),
    ...(keyIndex === null ? {} : { keyIndex }),
    ...(nonReference ? { nonReference } : {}),
  }));

function faultOf(bytes: readonly number[]): string {
  const read = parseVp8Payload(Uint8Array.from(bytes));
  return read.ok ? "none" : `${read.fault.code}: ${read.fault.message} (${read.fault.at})`;
}

describe("a VP8 payload", () => {
  it("gives back its descriptor and its frame, and cut within the descriptor nothing", () => {
    fc.assert(
      fc.property(descriptors, (descriptor) => {
        const payload = writeVp8Payload(descriptor, DELTA);
        expect(parseVp8Payload(payload)).toEqual({ ok: true, value: { descriptor, frame: DELTA } });
        for (let length = 0; length <= payload.length - DELTA.length; length += 1) {
          expect(parseVp8Payload(payload.subarray(0, length)).ok).toBe(false);
        }
      }),
    );
  });

  it("has the bytes of RFC 7741 section 4.2", () => {
    const pictureId = { value: 0x1234, bits: 15 } as const;
    const full = { nonReference: true, pictureId, baseIndex: 9, layer: 2, layerSync: true, keyIndex: 5 };
    expect(writeVp8Payload(full, Uint8Array.of(0xaa)).toHex()).toBe("b0f0923409a5aa");
    expect(writeVp8Payload({}, Uint8Array.of(0xaa)).toHex()).toBe("10aa");
  });

  it("passes over what is kept for later", () => {
    expect(parseVp8Payload(Uint8Array.of(0xd8, 0x8f, 5, 7))).toMatchObject({
      value: { descriptor: { pictureId: { value: 5, bits: 7 } }, frame: Uint8Array.of(7) },
    });
  });

  it.each<[string, readonly number[]]>([
    ["empty (byte 0)", []],
    ["not the beginning of a frame (byte 0)", [0x00, 1]],
    ["not the beginning of a frame (byte 0)", [0x11, 1]],
    ["base layer index without a layer (byte 1)", [0x90, 0x40, 1, 1]],
    ["no frame behind the descriptor (byte 1)", [0x10]],
  ])("is refused: %s", (message, bytes) => {
    expect(faultOf(bytes)).toBe(`payload-malformed: VP8 payload: ${message}`);
  });
});

describe("a VP8 frame", () => {
  it("says whether it is a key frame, and of what size", () => {
    expect(readVp8Frame(KEY)).toEqual({ ok: true, value: { key: true, width: 176, height: 144 } });
    expect(readVp8Frame(DELTA)).toEqual({ ok: true, value: { key: false } });
  });

  it.each<[string, Uint8Array]>([
    ["frame shorter than its tag", DELTA.subarray(0, 2)],
    ["key frame shorter than its header", KEY.subarray(0, 9)],
    ["first partition passes the end", KEY.subarray(0, 11)],
    ["key frame without its start code", KEY.with(4, 2)],
    ["a picture of no size", KEY.with(6, 0).with(7, 0x40)],
  ])("is none: %s", (message, bytes) => {
    expect(readVp8Frame(bytes)).toMatchObject({
      fault: { code: "payload-malformed", message: `VP8 payload: ${message}` },
    });
  });
});
