import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeG711Sample, encodeG711Sample, G711Codec, type G711Law } from "./g711.ts";

const LAWS: readonly G711Law[] = ["pcmu", "pcma"];

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

describe("the tables", () => {
  // Decoder output values of ITU-T G.711 tables 2a and 1a, brought from 14 and 13 bits to 16.
  it.each<[G711Law, number, number]>([
    ["pcmu", 0x80, 8031 * 4],
    ["pcmu", 0x8f, 4191 * 4],
    ["pcmu", 0x9f, 2079 * 4],
    ["pcmu", 0xaf, 1023 * 4],
    ["pcmu", 0xbf, 495 * 4],
    ["pcmu", 0xcf, 231 * 4],
    ["pcmu", 0xdf, 99 * 4],
    ["pcmu", 0xef, 33 * 4],
    ["pcmu", 0xfe, 2 * 4],
    ["pcmu", 0xff, 0],
    ["pcmu", 0x00, -8031 * 4],
    ["pcmu", 0x7e, -2 * 4],
    ["pcma", 0xaa, 4032 * 8],
    ["pcma", 0xa5, 2112 * 8],
    ["pcma", 0xb5, 1056 * 8],
    ["pcma", 0x85, 528 * 8],
    ["pcma", 0x95, 264 * 8],
    ["pcma", 0xe5, 132 * 8],
    ["pcma", 0xf5, 66 * 8],
    ["pcma", 0xd5, 1 * 8],
    ["pcma", 0x55, -1 * 8],
    ["pcma", 0x2a, -4032 * 8],
  ])("%s decodes code %i to %i", (law, code, sample) => {
    expect(decodeG711Sample(law, code)).toBe(sample);
  });

  // Digests of what CPython's audioop makes of all samples in rising order, and of all codes as little-endian samples.
  it.each<[G711Law, string, string]>([
    [
      "pcmu",
      "81d633c9e6972a18c74a58720b96cb8ca0bdd096d4060b646dd708c3b846019a",
      "3dab54339e520bb2c924826e3b72a917a2b612e9fd12fc867500f1d983a75827",
    ],
    [
      "pcma",
      "38488f6fd710f4686360edc4d38639f96c491595ef93f8eb8d62d5e07ca6ce7b",
      "e04788d110e58ff8c70c93b8480190d973e3b67876b6119abbaec766cc75c174",
    ],
  ])("%s agrees with another implementation on all 65,536 samples and 256 codes", (law, encoded, decoded) => {
    expect(sha256(Uint8Array.from({ length: 65_536 }, (_, at) => encodeG711Sample(law, at - 32_768)))).toBe(
      encoded,
    );
    const samples = Int16Array.from({ length: 256 }, (_, code) => decodeG711Sample(law, code));
    expect(sha256(new Uint8Array(samples.buffer))).toBe(decoded);
  });

  it.each(LAWS)("%s gives every code back but the second zero of mu-law", (law) => {
    for (let code = 0; code < 256; code++) {
      const again = encodeG711Sample(law, decodeG711Sample(law, code));
      expect(again).toBe(law === "pcmu" && code === 0x7f ? 0xff : code);
    }
  });
});

describe.each(LAWS)("the %s codec", (law) => {
  const tone = Int16Array.from({ length: 160 }, (_, at) =>
    Math.round(8000 * Math.sin((2 * Math.PI * at) / 40)),
  );
  const make = () => new G711Codec(law);

  it("says what it is", () => {
    expect(make().format).toEqual({
      name: law,
      clockRate: 8000,
      rtpClockRate: 8000,
      channels: 1,
      frameSamples: 160,
    });
    expect(new G711Codec(law, 80).format.frameSamples).toBe(80);
    expect(make().lookahead).toBe(0);
  });

  it("keeps a tone within the law's step", () => {
    const codec = make();
    const heard = codec.decode(codec.encode(tone));
    tone.forEach((sample, at) => {
      expect(Math.abs((heard[at] as number) - sample)).toBeLessThanOrEqual(8 + Math.abs(sample) / 16);
    });
  });

  it("decodes what was encoded sample by sample, whatever it is", () => {
    fc.assert(
      fc.property(fc.int16Array({ minLength: 160, maxLength: 160 }), (pcm) => {
        const codec = make();
        const payload = codec.encode(pcm).slice();
        expect([...payload]).toEqual([...pcm].map((sample) => encodeG711Sample(law, sample)));
        expect([...codec.decode(payload)]).toEqual([...payload].map((code) => decodeG711Sample(law, code)));
      }),
    );
  });

  it("conceals without a step, ever quieter, and is silent after 60 ms", () => {
    const codec = make();
    const last = codec.decode(codec.encode(tone)).slice();
    const frames = [1, 2, 3, 4].map(() => codec.conceal().slice());
    expect(frames[0]?.[0]).toBe(last[159]);
    expect(Math.abs((frames[1]?.[0] as number) - (frames[0]?.[159] as number))).toBeLessThan(1500);
    const loudness = frames.map((frame) => Math.max(...frame.map(Math.abs)));
    expect(loudness[0]).toBeGreaterThan(7000);
    expect(loudness[1]).toBeLessThan(loudness[0] as number);
    expect(loudness[2]).toBeLessThan(loudness[1] as number);
    expect(loudness[3]).toBe(0);
    expect(codec.conceal().every((sample) => sample === 0)).toBe(true);
  });

  it("conceals silence before anything came", () => {
    expect(
      make()
        .conceal()
        .every((sample) => sample === 0),
    ).toBe(true);
  });

  it("fades the next frame in, and only that", () => {
    const codec = make();
    const payload = codec.encode(tone).slice();
    const clean = codec.decode(payload).slice();
    codec.conceal();
    const after = codec.decode(payload).slice();
    expect(after.subarray(0, 20)).not.toEqual(clean.subarray(0, 20));
    expect(after.subarray(20)).toEqual(clean.subarray(20));
    expect(codec.decode(payload)).toEqual(clean);
  });

  it("refuses other lengths and use after close", () => {
    const codec = make();
    expect(() => codec.decode(new Uint8Array(159))).toThrow(
      expect.objectContaining({ code: "payload-malformed" }),
    );
    expect(() => codec.encode(new Int16Array(161))).toThrow(
      expect.objectContaining({ code: "field-invalid" }),
    );
    expect(() => new G711Codec(law, 0)).toThrow(expect.objectContaining({ code: "field-invalid" }));
    expect(() => new G711Codec(law, 961)).toThrow(expect.objectContaining({ code: "field-invalid" }));
    codec.close();
    codec.close();
    const closed = expect.objectContaining({ code: "closed" });
    expect(() => codec.encode(tone)).toThrow(closed);
    expect(() => codec.decode(new Uint8Array(160))).toThrow(closed);
    expect(() => codec.conceal()).toThrow(closed);
  });
});
