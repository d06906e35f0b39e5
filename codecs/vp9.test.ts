import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseVp9Payload, readVp9Picture, type Vp9Descriptor, writeVp9Payload } from "./vp9.ts";

const DELTA = Uint8Array.of(0x86, 0, 0x40);

const layers = fc.record({ temporal: fc.integer({ min: 0, max: 7 }), switchingUp: fc.boolean() });
const index = fc.integer({ min: 0, max: 255 });
const pictureIds = fc.record({ value: fc.integer({ min: 0, max: 32_767 }), bits: fc.constant(15 as const) });
const sizes = fc.record({
  width: fc.integer({ min: 0, max: 65_535 }),
  height: fc.integer({ min: 0, max: 65_535 }),
});
const fixed = fc.record(
  {
    interPredicted: fc.boolean(),
    notReferredTo: fc.constant(true),
    pictureId: pictureIds,
    size: sizes,
  },
  { requiredKeys: ["interPredicted"] },
);
const descriptors: fc.Arbitrary<Vp9Descriptor> = fc.oneof(
  fixed,
  fc.tuple(fixed, layers, index).map(([rest, layer, baseIndex]) => ({ ...rest, layer, baseIndex })),
  fc
    .tuple(
      fixed,
      pictureIds,
      fc.option(layers),
      fc.array(fc.integer({ min: 1, max: 127 }), { minLength: 1, maxLength: 3 }),
    )
    .map(([rest, pictureId, layer, references]) => ({
      ...rest,
      pictureId,
      ...(layer === null ? {} : { layer }),
      references: rest.interPredicted ? references : [],
    })),
);

function faultOf(bytes: readonly number[]): string {
  const read = parseVp9Payload(Uint8Array.from(bytes));
  return read.ok ? "none" : `${read.fault.code}: ${read.fault.message} (${read.fault.at})`;
}

/** An uncompressed header, from its bits. */
function picture(...fields: readonly [value: number, bits: number][]): Uint8Array {
  const bits = fields.map(([value, count]) => value.toString(2).padStart(count, "0")).join("");
  return Uint8Array.from(bits.match(/.{1,8}/g) ?? [], (byte) => Number.parseInt(byte.padEnd(8, "0"), 2));
}
const SIZE: readonly [number, number][] = [
  [319, 16],
  [179, 16],
];
const key = (profile: number, ...colours: [number, number][]) =>
  picture(
    [2, 2],
    [profile & 1, 1],
    [profile >> 1, 1],
    ...(profile === 3 ? ([[0, 1]] as [number, number][]) : []),
    [0, 1],
    [0, 1],
    [1, 1],
    [0, 1],
    [0x498342, 24],
    ...colours,
    ...SIZE,
  );

describe("a VP9 payload", () => {
  it("gives back its descriptor and its picture, and cut within the descriptor nothing", () => {
    fc.assert(
      fc.property(descriptors, (descriptor) => {
        const payload = writeVp9Payload(descriptor, DELTA);
        expect(parseVp9Payload(payload)).toEqual({ ok: true, value: { descriptor, picture: DELTA } });
        for (let length = 0; length <= payload.length - DELTA.length; length += 1) {
          expect(parseVp9Payload(payload.subarray(0, length)).ok).toBe(false);
        }
      }),
    );
  });

  it("has the bytes of RFC 9628 section 4.2", () => {
    const pictureId = { value: 0x1234, bits: 15 } as const;
    const layer = { temporal: 2, switchingUp: true };
    const key = { pictureId, interPredicted: false, layer, baseIndex: 9, size: { width: 320, height: 180 } };
    expect(writeVp9Payload(key, Uint8Array.of(0xaa)).toHex()).toBe("ae923450091001" + "4000b4aa");
    const flexible = { pictureId, interPredicted: true, references: [1, 4], notReferredTo: true };
    expect(writeVp9Payload(flexible, Uint8Array.of(0xaa)).toHex()).toBe("dd92340308aa");
  });

  it("passes over how a group of pictures is built", () => {
    const structure = [0x18, 1, 0x40, 0, 0xb4, 2, 0x04, 1, 0x28, 1, 2];
    expect(parseVp9Payload(Uint8Array.from([0x0e, ...structure, 7]))).toEqual({
      ok: true,
      value: {
        descriptor: { interPredicted: false, size: { width: 320, height: 180 } },
        picture: Uint8Array.of(7),
      },
    });
  });

  it.each<[string, readonly number[]]>([
    ["empty (byte 0)", []],
    ["not a whole picture (byte 0)", [0x08, 1]],
    ["not a whole picture (byte 0)", [0x04, 1]],
    ["flexible mode without a picture number (byte 0)", [0x1c, 1]],
    ["of an upper spatial layer (byte 1)", [0x2c, 0x02, 0, 1]],
    ["refers to itself (byte 2)", [0xdc, 5, 0x00, 1]],
    ["too many references (byte 5)", [0xdc, 5, 3, 3, 3, 3, 1]],
    ["several spatial layers (byte 1)", [0x0e, 0x20, 1]],
    ["ends within its descriptor (byte 5)", [0x0e, 0x08, 2, 0x04, 1]],
    ["no picture behind the descriptor (byte 1)", [0x0c]],
  ])("is refused: %s", (message, bytes) => {
    expect(faultOf(bytes)).toBe(`payload-malformed: VP9 payload: ${message}`);
  });
});

describe("a VP9 picture", () => {
  it.each<[string, Uint8Array]>([
    ["profile 0", key(0, [2, 3], [0, 1])],
    ["profile 1", key(1, [2, 3], [0, 1], [3, 2], [0, 1])],
    ["profile 1 in RGB", key(1, [7, 3], [0, 1])],
    ["profile 2", key(2, [1, 1], [2, 3], [0, 1])],
    ["profile 3", key(3, [1, 1], [2, 3], [0, 1], [3, 2], [0, 1])],
  ])("of a key frame in %s says its size", (_name, bytes) => {
    expect(readVp9Picture(bytes)).toEqual({ ok: true, value: { key: true, width: 320, height: 180 } });
    for (let length = 0; length < bytes.length; length += 1) {
      expect(readVp9Picture(bytes.subarray(0, length)).ok).toBe(false);
    }
  });

  it("that refers to others, or shows one again, is no key frame", () => {
    expect(readVp9Picture(DELTA)).toEqual({ ok: true, value: { key: false } });
    expect(readVp9Picture(Uint8Array.of(0x88))).toEqual({ ok: true, value: { key: false } });
  });

  it.each<[string, Uint8Array]>([
    ["no picture", new Uint8Array(0)],
    ["no frame marker", Uint8Array.of(0x46, 0)],
    ["a profile that is not defined", Uint8Array.of(0xb8, 0)],
    ["key frame without its sync code", key(0, [2, 3], [0, 1]).with(2, 0)],
  ])("is none: %s", (message, bytes) => {
    expect(readVp9Picture(bytes)).toMatchObject({
      fault: { code: "payload-malformed", message: `VP9 payload: ${message}` },
    });
  });
});
