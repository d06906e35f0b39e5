import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { rtpTicks } from "./audio-codec.ts";
import { G722Codec } from "./g722.ts";
import { G722Decoder, G722Encoder } from "./g722-coder.ts";

const vector = (name: string) =>
  new Uint8Array(readFileSync(new URL(`../test/vectors/ffmpeg-g722/${name}`, import.meta.url)));
const pcm = (name: string) => new Int16Array(vector(`${name}.pcm`).buffer);

describe("bit for bit with another implementation", () => {
  it.each(["speech", "noise", "sweep"])("%s is encoded so", (name) => {
    const source = pcm(name);
    const bytes = new Uint8Array(source.length / 2);
    new G722Encoder().encode(source, bytes);
    expect(bytes).toEqual(vector(`${name}.g722`));
  });

  it.each(["speech", "noise", "sweep", "any"])("%s is decoded so", (name) => {
    const bytes = vector(`${name}.g722`);
    const heard = new Int16Array(bytes.length * 2);
    new G722Decoder().decode(bytes, heard);
    expect(heard).toEqual(pcm(`${name}.heard`));
  });
});

describe("the codec", () => {
  it("says what it is: 16 kHz of sound, which RTP counts as 8 kHz", () => {
    const { format } = new G722Codec();
    expect(format).toEqual({
      name: "g722",
      clockRate: 16_000,
      rtpClockRate: 8000,
      channels: 1,
      frameSamples: 320,
    });
    expect(rtpTicks(format)).toBe(160);
  });

  it.each([160, 320, 640, 960])("makes the same bytes in frames of %i samples", (samples) => {
    const source = pcm("speech");
    const codec = new G722Codec(samples);
    const expected = vector("speech.g722");
    for (let at = 0; at + samples <= source.length; at += samples) {
      const payload = codec.encode(source.subarray(at, at + samples));
      expect(payload).toEqual(expected.subarray(at / 2, (at + samples) / 2));
    }
  });

  it("delays by as much as it says", () => {
    const source = pcm("speech");
    const codec = new G722Codec();
    const heard: number[] = [];
    for (let at = 0; at < source.length; at += 320) {
      heard.push(...codec.decode(codec.encode(source.subarray(at, at + 320))));
    }
    const likeness = (lag: number) =>
      source.subarray(0, 6000).reduce((sum, sample, at) => sum + sample * (heard[at + lag] as number), 0);
    const lags = Array.from({ length: 60 }, (_, lag) => lag);
    expect(lags.reduce((best, lag) => (likeness(lag) > likeness(best) ? lag : best), 0)).toBe(
      codec.lookahead,
    );
  });

  it("refuses other lengths and use after close", () => {
    const codec = new G722Codec();
    const invalid = expect.objectContaining({ code: "field-invalid" });
    expect(() => codec.decode(new Uint8Array(161))).toThrow(
      expect.objectContaining({ code: "payload-malformed" }),
    );
    expect(() => codec.encode(new Int16Array(160))).toThrow(invalid);
    for (const samples of [0, 3, 321, 1922]) expect(() => new G722Codec(samples)).toThrow(invalid);
    codec.close();
    expect(() => codec.conceal()).toThrow(expect.objectContaining({ code: "closed" }));
  });
});
