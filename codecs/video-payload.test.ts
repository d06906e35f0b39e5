import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseAv1Payload, writeAv1Payload } from "./av1.ts";
import { readU16 } from "./big-endian.ts";
import { type Ivf, parseIvf } from "./ivf.ts";
import { ok, type Result } from "./result.ts";
import { findVideoFormat, VIDEO_CLOCK_RATE, VIDEO_FORMATS } from "./video-formats.ts";
import { MAX_TEMPORAL_LAYER, parseVideoPayload, readVideoUnit, VideoPayloadWriter } from "./video-payload.ts";
import { parseVp8Payload, writeVp8Payload } from "./vp8.ts";
import { parseVp9Payload, writeVp9Payload } from "./vp9.ts";

const folder = new URL("../test/vectors/ffmpeg/", import.meta.url);
const read = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, folder)));

function clip(name: string): Ivf {
  const parsed = parseIvf(read(`${name}.ivf`));
  if (!parsed.ok) throw new Error(parsed.fault.message);
  return parsed.value;
}

/** The payloads that ffmpeg sent of a clip: RTP packets with a plain header, each behind its length (RFC 4571). */
function foreignPayloads(name: string): Uint8Array[] {
  const bytes = read(`${name}.rtp`);
  const payloads: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 2 + readU16(bytes, at);
    payloads.push(bytes.subarray(at + 14, end));
    at = end;
  }
  return payloads;
}

function value<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(`${result.fault.message} at ${result.fault.at}`);
  return result.value;
}

/** Takes a payload apart and puts it together again. */
const again: Readonly<Record<Ivf["format"], (payload: Uint8Array) => Uint8Array>> = {
  vp8: (payload) => {
    const { descriptor, frame } = value(parseVp8Payload(payload));
    return writeVp8Payload(descriptor, frame);
  },
  vp9: (payload) => {
    const { descriptor, picture } = value(parseVp9Payload(payload));
    return writeVp9Payload(descriptor, picture);
  },
  av1: (payload) => writeAv1Payload(value(parseAv1Payload(payload)), ((payload[0] as number) & 0x08) !== 0),
};

const CLIPS = [
  { name: "vp8-layers", keys: [0, 16, 32], size: [320, 180], units: 48 },
  { name: "vp8-small", keys: [0, 16, 32], size: [160, 90], units: 48 },
  { name: "vp9-layers", keys: [0, 16, 32], size: [320, 180], units: 48 },
  { name: "vp9-superframes", keys: [0], size: [320, 180], units: 23 },
  { name: "vp9-rgb", keys: [0], size: [64, 36], units: 3 },
  { name: "av1-libaom", keys: [0, 15], size: [320, 180], units: 30 },
  { name: "av1-svt", keys: [0, 15], size: [320, 180], units: 30 },
];

describe.each(CLIPS)("$name, made by ffmpeg", ({ name, keys, size: [width, height], units }) => {
  const { format, frames } = clip(name);

  it("says where its key frames are and how large they are", () => {
    const facts = frames.map(({ data }) => value(readVideoUnit(format, data)));
    expect(facts).toHaveLength(units);
    expect(facts.flatMap(({ key }, index) => (key ? [index] : []))).toEqual(keys);
    for (const index of keys) expect(facts[index]).toEqual({ key: true, width, height });
  });

  it("comes out of the payloads that ffmpeg makes of it, and those are made again byte for byte", () => {
    const payloads = foreignPayloads(name);
    expect(payloads).toHaveLength(units);
    payloads.forEach((payload, index) => {
      expect(value(parseVideoPayload(format, payload)).data).toEqual(frames[index]?.data);
      expect(again[format](payload)).toEqual(payload);
    });
  });

  it("comes out of the payloads made here as it went in", () => {
    const writer = new VideoPayloadWriter(format, { picture: 32_760, base: 254 });
    for (const { data } of frames) {
      const { payload, facts } = value(writer.write(data));
      expect(parseVideoPayload(format, payload)).toEqual(ok({ ...facts, data }));
    }
  });
});

describe("the payloads of one stream", () => {
  const LAYERS = [0, 2, 1, 2];

  it("count their pictures, and those of the base layer, over the end of the numbers", () => {
    for (const [format, name] of [
      ["vp8", "vp8-layers"],
      ["vp9", "vp9-layers"],
    ] as const) {
      const writer = new VideoPayloadWriter(format, { picture: 32_766, base: 254 });
      const numbers = clip(name)
        .frames.slice(0, 10)
        .map(({ data }, index) => {
          const { payload } = value(writer.write(data, LAYERS[index % 4]));
          const parsed = format === "vp8" ? parseVp8Payload(payload) : parseVp9Payload(payload);
          const { pictureId, baseIndex } = value<{
            descriptor: { pictureId?: { value: number }; baseIndex?: number };
          }>(parsed).descriptor;
          return [pictureId?.value, baseIndex];
        });
      expect(numbers.map(([picture]) => picture)).toEqual([32_766, 32_767, 0, 1, 2, 3, 4, 5, 6, 7]);
      expect(numbers.map(([, base]) => base)).toEqual([254, 254, 254, 254, 255, 255, 255, 255, 0, 0]);
    }
  });

  it("say the layer that the encoder told", () => {
    for (const name of ["vp8-layers", "vp9-layers"]) {
      const { format, frames } = clip(name);
      const writer = new VideoPayloadWriter(format, { picture: 0, base: 0 });
      const layers = frames.slice(0, 8).map(({ data }, index) => {
        const { payload, facts } = value(writer.write(data, LAYERS[index % 4]));
        expect(parseVideoPayload(format, payload)).toEqual(ok({ ...facts, data }));
        return facts.layer;
      });
      expect(layers).toEqual([0, 2, 1, 2, 0, 2, 1, 2]);
    }
    expect(MAX_TEMPORAL_LAYER).toBeGreaterThanOrEqual(2);
  });

  it("are not made of what is no unit of the format", () => {
    for (const { name: format } of VIDEO_FORMATS) {
      const junk = Uint8Array.of(0xff, 0xff, 0xff);
      const writer = new VideoPayloadWriter(format, { picture: 0, base: 0 });
      for (const refused of [
        writer.write(junk),
        parseVideoPayload(format, junk),
        readVideoUnit(format, junk),
      ]) {
        expect(refused).toMatchObject({ ok: false, fault: { code: "payload-malformed" } });
      }
    }
  });
});

it("formats are known by name, and no other", () => {
  expect(VIDEO_FORMATS.map(({ name }) => findVideoFormat(name)?.fourCc)).toEqual(["VP80", "VP90", "AV01"]);
  expect(findVideoFormat("h264")).toBeUndefined();
  expect(VIDEO_CLOCK_RATE).toBe(90_000);
});
