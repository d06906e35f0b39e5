import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeWav, parseWav, type Wav } from "./wav.ts";

const sound: Wav = { sampleRate: 16_000, channels: 2, samples: Int16Array.of(1, -2, 32_767, -32_768) };

function chunk(tag: string, body: readonly number[], length = body.length): number[] {
  const claimed = [length, length >>> 8, length >>> 16, length >>> 24].map((byte) => byte & 255);
  return [...new TextEncoder().encode(tag), ...claimed, ...body, ...(body.length % 2 === 1 ? [0] : [])];
}

function riff(...chunks: readonly number[][]): Uint8Array {
  return Uint8Array.from(chunk("RIFF", [...new TextEncoder().encode("WAVE"), ...chunks.flat()]));
}

const format = [1, 0, 2, 0, 0x80, 0x3e, 0, 0, 0, 0xfa, 0, 0, 4, 0, 16, 0];
const data = [1, 0, 0xfe, 0xff, 0xff, 0x7f, 0, 0x80];
const pcmSubformat = "0100000000001000800000aa00389b71";
const extensible = [
  ...[0xfe, 0xff],
  ...format.slice(2),
  ...[22, 0, 16, 0, 3, 0, 0, 0],
  ...Uint8Array.fromHex(pcmSubformat),
];

function faultOf(bytes: Uint8Array): string {
  const read = parseWav(bytes);
  return read.ok ? "none" : `${read.fault.code}: ${read.fault.message}`;
}

describe("a WAV file", () => {
  it("gives back the sound it was made of", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 192_000 }),
        fc.integer({ min: 1, max: 8 }),
        fc.int16Array({ maxLength: 200 }),
        (sampleRate, channels, some) => {
          const samples = some.slice(0, some.length - (some.length % channels));
          expect(parseWav(encodeWav({ sampleRate, channels, samples }))).toEqual({
            ok: true,
            value: { sampleRate, channels, samples },
          });
        },
      ),
    );
  });

  it("has the plain 44-byte header", () => {
    expect(encodeWav(sound)).toEqual(riff(chunk("fmt ", format), chunk("data", data)));
  });

  it.each<[string, Uint8Array]>([
    [
      "chunks it does not know, of odd length too",
      riff(chunk("LIST", [1, 2, 3]), chunk("fmt ", format), chunk("fact", [1, 2, 3, 4]), chunk("data", data)),
    ],
    ["a data length that was never filled in", riff(chunk("fmt ", format), chunk("data", data, 0xffffffff))],
    ["a data length past the end", riff(chunk("fmt ", format), chunk("data", data, 4000))],
    ["half a moment at its end", riff(chunk("fmt ", format), chunk("data", [...data, 7, 7, 7]))],
    ["something after the data", riff(chunk("fmt ", format), chunk("data", data), chunk("LIST", [9]))],
    ["the extensible format", riff(chunk("fmt ", extensible), chunk("data", data))],
  ])("may have %s", (_name, bytes) => {
    expect(parseWav(bytes)).toEqual({ ok: true, value: sound });
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    expect(parseWav(shifted.subarray(1))).toEqual({ ok: true, value: sound });
  });

  it.each<[string, Uint8Array]>([
    ["no RIFF/WAVE header", Uint8Array.from(chunk("RIFX", [0x57, 0x41, 0x56, 0x45]))],
    ["no format chunk", riff()],
    ["no data chunk", riff(chunk("fmt ", format))],
    ["data before its format", riff(chunk("data", data), chunk("fmt ", format))],
    ["format chunk too short", riff(chunk("fmt ", format.slice(0, 14)), chunk("data", data))],
    ["not PCM", riff(chunk("fmt ", [3, ...format.slice(1)]), chunk("data", data))],
    ["not PCM", riff(chunk("fmt ", extensible.with(24, 3)), chunk("data", data))],
    ["not 16 bits a sample", riff(chunk("fmt ", format.with(14, 24)), chunk("data", data))],
    ["no channels or no rate", riff(chunk("fmt ", format.with(2, 0)), chunk("data", data))],
    ["no channels or no rate", riff(chunk("fmt ", format.with(4, 0).with(5, 0)), chunk("data", data))],
  ])("is refused with %s", (message, bytes) => {
    expect(faultOf(bytes)).toBe(`wav-malformed: ${message}`);
  });

  it("cut anywhere gives what is there or a fault", () => {
    const bytes = encodeWav(sound);
    for (let length = 0; length <= bytes.length; length++) {
      const read = parseWav(bytes.subarray(0, length));
      expect(read.ok).toBe(length >= 44);
      if (read.ok)
        expect(read.value.samples).toEqual(sound.samples.subarray(0, 2 * Math.floor((length - 44) / 4)));
    }
  });

  it("of any bytes never throws", () => {
    const header = riff().subarray(0, 12);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), fc.boolean(), (junk, headed) => {
        const bytes = headed ? Uint8Array.from([...header, ...chunk("fmt ", format), ...junk]) : junk;
        expect(typeof parseWav(bytes).ok).toBe("boolean");
      }),
    );
  });
});

it.each<Partial<Wav>>([
  { sampleRate: 0 },
  { channels: 0 },
  { channels: 3 },
  { channels: 70_000 },
  { sampleRate: 2 ** 31 },
  { sampleRate: 1.5 },
])("a sound of %o is not written", (wrong) => {
  expect(() => encodeWav({ ...sound, ...wrong })).toThrow(expect.objectContaining({ code: "field-invalid" }));
});
