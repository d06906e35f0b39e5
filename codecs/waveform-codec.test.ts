import { describe, expect, it } from "vitest";
import type { AudioCodec } from "./audio-codec.ts";
import { ComfortNoise } from "./comfort-noise.ts";
import { G711Codec } from "./g711.ts";
import { G722Codec } from "./g722.ts";

/** `seconds` of noise of so many dB below full scale, or of a voice above it, in frames. */
function sound(codec: AudioCodec, seconds: number, level: number, voice = false): Int16Array[] {
  const { clockRate, frameSamples } = codec.format;
  const noise = new ComfortNoise();
  noise.level = level;
  return Array.from({ length: Math.round((seconds * clockRate) / frameSamples) }, (_, frame) => {
    const pcm = new Int16Array(frameSamples);
    noise.fill(pcm);
    if (!voice) return pcm;
    return pcm.map((sample, at) => sample + 4000 * Math.sin(0.1 * (frame * frameSamples + at)));
  });
}

function loudness(pcm: Int16Array): number {
  const power = pcm.reduce((sum, sample) => sum + sample * sample, 0) / pcm.length / 32_768 ** 2;
  return -10 * Math.log10(power);
}

it.each([
  ["g722", () => new G722Codec()],
  ["pcma", () => new G711Codec("pcma")],
])("%s forgets what was said: nothing of it fills in for what is lost after", (_, make) => {
  const codec = make();
  const quiet = new Int16Array(codec.format.frameSamples);
  for (const pcm of sound(codec, 0.2, 52, true)) codec.decode(codec.encode(pcm));
  codec.forget?.();
  expect(codec.conceal().every((sample) => sample === 0)).toBe(true);
  codec.forget?.();
  const fresh = make();
  for (let frame = 0; frame < 2; frame += 1) {
    const payload = codec.encode(quiet).slice();
    expect(payload).toEqual(fresh.encode(quiet));
    expect(codec.decode(payload)).toEqual(fresh.decode(payload));
  }
});

describe.each([
  ["g722", () => new G722Codec()],
  ["pcmu", () => new G711Codec("pcmu")],
])("silence in %s", (_, make) => {
  it("is sent like everything else where nobody asked for less", () => {
    const codec = make();
    for (const pcm of sound(codec, 1, 127)) expect(codec.isPause?.(codec.encode(pcm))).toBe(false);
  });

  it("becomes one byte, its level, 200 ms after the voice has stopped", () => {
    const codec = make();
    codec.tune?.({ dtx: true });
    const pauses = (frames: Int16Array[]) => frames.map((pcm) => codec.isPause(codec.encode(pcm)));
    pauses(sound(codec, 1, 52));
    expect(pauses(sound(codec, 1, 52, true))).not.toContain(true);
    const after = pauses(sound(codec, 1, 52));
    expect(after.indexOf(true)).toBe(10);
    expect(after.lastIndexOf(false)).toBe(9);
    const [payload] = sound(codec, 0.02, 52).map((pcm) => codec.encode(pcm).slice());
    expect(payload).toHaveLength(1);
    expect(Math.abs((payload?.[0] ?? 0) - 52)).toBeLessThanOrEqual(1);
    expect(pauses(sound(codec, 0.02, 52, true))).toEqual([false]);
  });

  it("is sent where it is too loud to be told from a voice", () => {
    const codec = make();
    codec.tune?.({ dtx: true });
    for (const pcm of sound(codec, 3, 25)) expect(codec.isPause(codec.encode(pcm))).toBe(false);
  });

  it("is heard as noise of its level, for as long as nothing comes", () => {
    const codec = make();
    expect(Math.abs(loudness(codec.decode(Uint8Array.of(50))) - 50)).toBeLessThan(1);
    for (let frame = 0; frame < 20; frame += 1) {
      expect(Math.abs(loudness(codec.comfort()) - 50)).toBeLessThan(1);
    }
    codec.decode(Uint8Array.of(127));
    expect(codec.comfort().every((sample) => sample === 0)).toBe(true);
  });
});
