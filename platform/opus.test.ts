import { readFileSync } from "node:fs";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import type { AudioCodec } from "../codecs/audio-codec.ts";
import { opusCarriesFec } from "../codecs/opus.ts";
import { createOpusCodec, type OpusOptions } from "./opus.ts";

const opened: AudioCodec[] = [];
afterEach(() => {
  for (const codec of opened.splice(0)) codec.close();
});

const ada = speech("ada-1");
const bob = speech("bob-3");

test("what is forgotten is in no later payload, and not in what the next ones are decoded to", async () => {
  const [said, heard] = [await open(), await open()];
  const loud = ada.subarray(48_000, 48_000 + 10 * 960);
  for (const payload of encodeAll(said, loud)) heard.decode(payload);
  said.forget?.();
  heard.forget?.();
  const after = heard.decode(said.encode(new Int16Array(960)));
  expect(Math.max(...after.map(Math.abs))).toBeLessThan(40);
  // Nor does error correction bring the last of it back.
  expect(Math.max(...heard.conceal(said.encode(new Int16Array(960))).map(Math.abs))).toBeLessThan(40);
});

describe("speech through the codec", () => {
  test.each([
    ["ada", ada],
    ["bob", bob],
  ])("%s correlates 0.95 or more with her or his source, at the lookahead reported", async (_name, pcm) => {
    const codec = await open();
    const heard = transcode(codec, pcm);
    expect(correlation(pcm, heard, codec.lookahead)).toBeGreaterThanOrEqual(0.95);
  });

  test("the default keeps near its bitrate", async () => {
    const codec = await open();
    const payloads = encodeAll(codec, ada);
    const bits = payloads.reduce((sum, payload) => sum + payload.length * 8, 0) / (payloads.length * 0.02);
    expect(bits).toBeGreaterThan(25_000);
    expect(bits).toBeLessThan(36_000);
  });

  test.each<[OpusOptions]>([
    [{}],
    [{ frameMs: 10 }],
    [{ frameMs: 40 }],
    [{ frameMs: 60, bitrate: 48_000 }],
    [{ fec: false }],
    [{ fec: false, bitrate: 64_000 }],
    [{ bitrate: 64_000 }],
    [{ application: "music", bitrate: 48_000 }],
    [{ application: "low-delay", bitrate: 64_000 }],
    [{ application: "low-delay", frameMs: 5, bitrate: 96_000 }],
    [{ application: "music", frameMs: 5, bitrate: 128_000 }],
    [{ dtx: true }],
  ])("the lookahead reported is the best alignment, to a sample: %j", async (options) => {
    const codec = await open(options);
    const pcm = ada.subarray(12_000, 36_000);
    const heard = transcode(codec, pcm);
    let best = 0;
    for (let lag = 0; lag < 400; lag++) {
      if (correlation(pcm, heard, lag) > correlation(pcm, heard, best)) best = lag;
    }
    // Half-second stretches of SILK speech fit best at one sample or the next.
    expect(Math.abs(best - codec.lookahead)).toBeLessThanOrEqual(1);
  });

  test("is tuned while it runs: fewer bits, and more of them for what may be lost", async () => {
    const codec = await open({ expectedLoss: 0 });
    const third = Math.floor(ada.length / 3 / 960) * 960;
    const bytes = (from: number) =>
      encodeAll(codec, ada.subarray(from, from + third)).reduce((sum, payload) => sum + payload.length, 0);
    const before = bytes(0);
    codec.tune?.({ bitrate: 14_000 });
    expect(bytes(0)).toBeLessThan(before * 0.6);
    codec.tune?.({ bitrate: 32_000, expectedLoss: 0.2 });
    const payloads = encodeAll(codec, ada.subarray(0, third));
    expect(payloads.filter((payload) => opusCarriesFec(payload)).length).toBeGreaterThan(payloads.length / 4);
    codec.tune?.({ expectedLoss: 0 });
    const without = encodeAll(codec, ada.subarray(0, third)).slice(2);
    expect(without.filter((payload) => opusCarriesFec(payload))).toEqual([]);
    expect(() => codec.tune?.({ bitrate: 5_999 })).toThrow("6,000");
    expect(() => codec.tune?.({ expectedLoss: 1.1 })).toThrow("0 to 1");
  });

  test.each<[OpusOptions, boolean]>([
    [{}, true],
    [{ frameMs: 10 }, true],
    [{ frameMs: 40 }, true],
    [{ frameMs: 60 }, true],
    [{ channels: 2 }, true],
    [{ fec: false }, false],
    [{ expectedLoss: 0 }, false],
    [{ application: "low-delay" }, false],
    [{ application: "music" }, true],
  ])("tells which payloads carry the one before them: %j", async (options, some) => {
    const codec = await open(options);
    const { channels, frameSamples } = codec.format;
    const payloads = encodeAll(codec, ada.subarray(0, 48_000 - ((48_000 / channels) % frameSamples)));
    expect(payloads.some((payload) => codec.carriesEarlier?.(payload))).toBe(some);
  });

  test("two channels keep apart", async () => {
    const codec = await open({ channels: 2 });
    const length = Math.min(ada.length, bob.length);
    const stereo = new Int16Array(length * 2);
    for (let i = 0; i < length; i++) {
      stereo[2 * i] = ada[i] ?? 0;
      stereo[2 * i + 1] = bob[i] ?? 0;
    }
    const heard = transcode(codec, stereo);
    const channel = (pcm: Int16Array, index: number) => pcm.filter((_, i) => i % 2 === index);
    expect(codec.format).toEqual({
      name: "opus",
      clockRate: 48_000,
      rtpClockRate: 48_000,
      channels: 2,
      frameSamples: 960,
    });
    expect(correlation(channel(stereo, 0), channel(heard, 0), codec.lookahead)).toBeGreaterThan(0.9);
    expect(correlation(channel(stereo, 1), channel(heard, 1), codec.lookahead)).toBeGreaterThan(0.9);
    expect(correlation(channel(stereo, 0), channel(heard, 1), codec.lookahead)).toBeLessThan(0.5);
  });
});

describe("lost frames", () => {
  test("the payload after a lost one brings it back; without it the gap is concealed", async () => {
    const [source, whole, repaired, concealed] = [await open(), await open(), await open(), await open()];
    const payloads = encodeAll(source, ada);
    const lost = { fec: [] as number[], plc: [] as number[] };
    for (const [i, payload] of payloads.entries()) {
      const next = payloads[i + 1];
      const truth = whole.decode(payload);
      if (i % 10 !== 9 || next === undefined) {
        repaired.decode(payload);
        concealed.decode(payload);
        continue;
      }
      const [byFec, byPlc] = [repaired.conceal(next), concealed.conceal()];
      expect(byFec).toHaveLength(960);
      expect(byPlc).toHaveLength(960);
      if (loudness(truth) < 1_000) continue;
      lost.fec.push(correlation(truth, byFec, 0));
      lost.plc.push(correlation(truth, byPlc, 0));
      expect(loudness(byPlc)).toBeGreaterThan(0);
    }
    expect(lost.fec.length).toBeGreaterThan(5);
    expect(mean(lost.fec)).toBeGreaterThan(0.85);
    expect(mean(lost.plc)).toBeLessThan(mean(lost.fec) - 0.2);
  });

  test("a long loss fades out", async () => {
    const codec = await open();
    for (const payload of encodeAll(codec, ada).slice(0, 30)) codec.decode(payload);
    const gap = Array.from({ length: 30 }, () => loudness(codec.conceal()));
    expect(gap.at(-1)).toBeLessThan((gap[0] ?? 0) / 20);
  });

  test("a broken payload after the loss is no help and no harm", async () => {
    const codec = await open();
    const payloads = encodeAll(codec, ada);
    for (const payload of payloads.slice(0, 30)) codec.decode(payload);
    expect(codec.conceal(new Uint8Array(0))).toHaveLength(960);
    expect(codec.conceal(Uint8Array.of(0xff, 0xff, 0xff))).toHaveLength(960);
    expect(codec.conceal(new Uint8Array(5_000))).toHaveLength(960);
  });

  test("with nothing decoded before, concealment is silence", async () => {
    const codec = await open();
    expect(loudness(codec.conceal())).toBe(0);
  });
});

describe("bad payloads", () => {
  const refused: [string, Uint8Array][] = [
    ["nothing", new Uint8Array(0)],
    ["a 10 ms frame", Uint8Array.of(12 << 3, 1, 2, 3)],
    ["two 20 ms frames", Uint8Array.of((13 << 3) | 1, 1, 2)],
    ["no frames at all", Uint8Array.of((13 << 3) | 3, 0)],
    ["a frame count without a byte for it", Uint8Array.of((13 << 3) | 3)],
    ["padding longer than the payload", Uint8Array.of((13 << 3) | 3, 0x41, 0xff, 0xff, 1)],
    ["a payload past the cap", new Uint8Array(4_000).fill(13 << 3)],
  ];

  test.each(refused)("%s is refused by name, and the codec goes on", async (_name, payload) => {
    const codec = await open();
    expect(() => codec.decode(payload)).toThrow(expect.objectContaining({ code: "payload-malformed" }));
    expect(correlation(ada, transcode(codec, ada), codec.lookahead)).toBeGreaterThan(0.95);
  });

  test("random and damaged payloads give a frame or the named refusal, never anything else", async () => {
    const [encoder, codec] = [await open(), await open()];
    const payloads = encodeAll(encoder, ada.subarray(0, 48_000));
    const random = fc.uint8Array({ minLength: 1, maxLength: 300 });
    const damaged = fc
      .tuple(fc.constantFrom(...payloads), fc.nat(), fc.nat(255), fc.nat())
      .map(([payload, at, value, cut]) => {
        const copy = payload.slice(0, 1 + (cut % payload.length));
        copy[at % copy.length] = value;
        return copy;
      });
    fc.assert(
      fc.property(fc.oneof(random, damaged), fc.boolean(), (payload, lost) => {
        try {
          expect(lost ? codec.conceal(payload) : codec.decode(payload)).toHaveLength(960);
        } catch (error) {
          expect(lost).toBe(false);
          expect(error).toMatchObject({ code: "payload-malformed" });
        }
      }),
      { numRuns: 2_000 },
    );
    // The pitch predictor still holds noise: a second of speech clears it.
    const heard = payloads.map((payload) => codec.decode(payload).slice());
    const clean = await open();
    const wanted = payloads.map((payload) => clean.decode(payload).slice());
    expect(correlation(join(wanted.slice(25)), join(heard.slice(25)), 0)).toBeGreaterThan(0.95);
  });
});

test("silence costs one byte a frame with DTX", async () => {
  const codec = await open({ dtx: true });
  const lengths = Array.from({ length: 100 }, () => codec.encode(new Int16Array(960)).length);
  expect(lengths.slice(20).filter((length) => length === 1).length).toBeGreaterThan(70);
  expect(codec.decode(Uint8Array.of(13 << 3))).toHaveLength(960);
});

test.each([
  [{ frameMs: 15 }, "frameMs"],
  [{ channels: 3 }, "channels"],
  [{ bitrate: 5_999 }, "bitrate"],
  [{ complexity: 11 }, "complexity"],
  [{ complexity: 2.5 }, "complexity"],
  [{ bitrate: 32_000.5 }, "bitrate"],
  [{ bitrate: Number.NaN }, "bitrate"],
  [{ expectedLoss: 1.1 }, "expectedLoss"],
  [{ expectedLoss: Number.NaN }, "expectedLoss"],
  [{ application: "voip" }, "application"],
])("an option out of range is refused by name: %j", async (options, at) => {
  await expect(createOpusCodec(options as OpusOptions)).rejects.toMatchObject({ code: "field-invalid", at });
});

test("PCM of another length than a frame is refused", async () => {
  const codec = await open();
  for (const length of [0, 480, 959, 1_920]) {
    expect(() => codec.encode(new Int16Array(length))).toThrow(
      expect.objectContaining({ code: "field-invalid" }),
    );
  }
});

test("close is idempotent, and nothing works after it", async () => {
  const codec = await open();
  const payload = codec.encode(new Int16Array(960));
  codec.close();
  codec.close();
  const closed = expect.objectContaining({ code: "closed" });
  expect(() => codec.encode(new Int16Array(960))).toThrow(closed);
  expect(() => codec.decode(payload)).toThrow(closed);
  expect(() => codec.conceal()).toThrow(closed);
});

test("a thousand codecs, made and closed, leave no memory behind", async () => {
  const cycle = async (times: number) => {
    for (let i = 0; i < times; i++) {
      const codec = await createOpusCodec();
      codec.decode(codec.encode(new Int16Array(960)));
      codec.close();
    }
    return process.memoryUsage().rss;
  };
  const growth: number[] = [];
  for (let last = await cycle(1_000), round = 0; round < 4; round++) {
    const now = await cycle(500);
    growth.push(now - last);
    last = now;
  }
  // A leak grows in every round, by 10 MB for 500 decoders and 18 MB for encoders; the collector's noise does not.
  expect(Math.min(...growth)).toBeLessThan(4e6);
});

async function open(options?: OpusOptions): Promise<AudioCodec> {
  const codec = await createOpusCodec(options);
  opened.push(codec);
  return codec;
}

function encodeAll(codec: AudioCodec, pcm: Int16Array): Uint8Array[] {
  const step = codec.format.frameSamples * codec.format.channels;
  const payloads: Uint8Array[] = [];
  for (let at = 0; at + step <= pcm.length; at += step) {
    payloads.push(codec.encode(pcm.subarray(at, at + step)).slice());
  }
  return payloads;
}

function transcode(codec: AudioCodec, pcm: Int16Array): Int16Array {
  return join(encodeAll(codec, pcm).map((payload) => codec.decode(payload).slice()));
}

function join(frames: readonly Int16Array[]): Int16Array {
  const whole = new Int16Array(frames.reduce((sum, frame) => sum + frame.length, 0));
  let at = 0;
  for (const frame of frames) {
    whole.set(frame, at);
    at += frame.length;
  }
  return whole;
}

/** Normalised correlation of `source` with `heard` taken `lag` samples later. */
function correlation(source: Int16Array, heard: Int16Array, lag: number): number {
  let [product, a, b] = [0, 0, 0];
  const length = Math.min(source.length, heard.length - lag);
  for (let i = 0; i < length; i++) {
    const [x, y] = [source[i] ?? 0, heard[i + lag] ?? 0];
    product += x * y;
    a += x * x;
    b += y * y;
  }
  return a === 0 || b === 0 ? 0 : product / Math.sqrt(a * b);
}

function loudness(pcm: Int16Array): number {
  return Math.sqrt(mean(Array.from(pcm, (sample) => sample * sample)));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The 16-bit samples of a file of the example conversation, whose header has the plain 44 bytes. */
function speech(name: string): Int16Array {
  const file = readFileSync(new URL(`../examples/speech/${name}.wav`, import.meta.url));
  return new Int16Array(file.buffer.slice(file.byteOffset + 44, file.byteOffset + file.length));
}
