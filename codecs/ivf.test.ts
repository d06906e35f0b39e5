import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeIvf, type Ivf, ivfTimeMs, parseIvf } from "./ivf.ts";

const clip: Ivf = {
  ...{ format: "vp8", width: 320, height: 180, rate: 30, scale: 1 },
  frames: [
    { time: 0, data: Uint8Array.of(1, 2, 3) },
    { time: 2 ** 40, data: Uint8Array.of(4) },
  ],
};

describe("an IVF file", () => {
  it("gives back what it was made of", () => {
    const numbers = (max: number, min = 0) => fc.integer({ min, max });
    const frame = fc.record({
      time: numbers(Number.MAX_SAFE_INTEGER),
      data: fc.uint8Array({ maxLength: 40 }),
    });
    const clips = fc.record({
      format: fc.constantFrom("vp8" as const, "vp9" as const, "av1" as const),
      width: numbers(0xffff),
      height: numbers(0xffff),
      rate: numbers(0xffffffff, 1),
      scale: numbers(0xffffffff, 1),
      frames: fc.array(frame, { maxLength: 5 }),
    });
    fc.assert(
      fc.property(clips, (some) => {
        expect(parseIvf(encodeIvf(some))).toEqual({ ok: true, value: some });
      }),
    );
  });

  it("has the header that tools expect", () => {
    expect(encodeIvf({ ...clip, frames: [] }).toHex()).toBe(
      "444b4946" +
        "0000" +
        "2000" +
        "56503830" +
        "4001" +
        "b400" +
        "1e000000" +
        "01000000" +
        "00000000" +
        "00000000",
    );
  });

  it("that ends within a unit ends before it", () => {
    const bytes = encodeIvf(clip);
    const counts = [bytes.length, bytes.length - 1, 47, 46, 32].map((length) => {
      const read = parseIvf(bytes.subarray(0, length));
      return read.ok ? read.value.frames.length : -1;
    });
    expect(counts).toEqual([2, 1, 1, 0, 0]);
  });

  it.each<[string, Uint8Array]>([
    ["no IVF header", encodeIvf(clip).subarray(0, 31)],
    ["no IVF header", encodeIvf(clip).with(0, 0)],
    ["another version than 0", encodeIvf(clip).with(4, 1)],
    ["a header shorter than it is", encodeIvf(clip).with(6, 31)],
    ["not VP8, VP9 or AV1", encodeIvf(clip).with(8, 0x48)],
    ["no time base", encodeIvf(clip).with(16, 0)],
    ["no time base", encodeIvf(clip).with(20, 0)],
    ["a time beyond all times", encodeIvf(clip).with(43, 1)],
  ])("is refused with %s", (message, bytes) => {
    expect(parseIvf(bytes)).toMatchObject({
      fault: { code: "ivf-malformed", message: `IVF file: ${message}` },
    });
  });

  it("of more units than it may have is refused", () => {
    const units = (count: number) => new Uint8Array(32 + count * 12);
    const file = (count: number) => {
      const bytes = units(count);
      bytes.set(encodeIvf({ ...clip, frames: [] }));
      return parseIvf(bytes).ok;
    };
    expect([file(32_768), file(32_769)]).toEqual([true, false]);
  });

  it.each<Partial<Ivf>>([
    { width: 70_000 },
    { height: -1 },
    { rate: 0 },
    { scale: 0.5 },
    { frames: [{ time: -1, data: new Uint8Array(1) }] },
  ])("is not written with %o", (wrong) => {
    expect(() => encodeIvf({ ...clip, ...wrong })).toThrow(
      expect.objectContaining({ code: "field-invalid" }),
    );
  });
});

it("times of a file are milliseconds by its time base", () => {
  expect(ivfTimeMs({ rate: 30_000, scale: 1_001 }, 30)).toBeCloseTo(1_001);
});
