import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { audioFormat } from "../codecs/audio-formats.ts";
import { parseWav } from "../codecs/wav.ts";
import { createAudioCodec } from "../platform/audio-codecs.ts";
import { compareUtterance } from "../src/listening/compare.ts";
import { expectNoDrift } from "../test/drifting.ts";
import { LinearCodec, type PlayedScene, playScene } from "../test/playing.ts";
import type { HeardAudio } from "./heard-audio.ts";

function speech(...names: string[]): Int16Array {
  const samples = names.flatMap((name) => {
    const read = parseWav(readFileSync(new URL(`../examples/speech/${name}.wav`, import.meta.url)));
    if (!read.ok) throw new Error(read.fault.message);
    return [...read.value.samples];
  });
  return Int16Array.from(samples);
}

interface Played {
  readonly counters: ReturnType<typeof playScene>;
  readonly pieces: HeardAudio[];
  readonly pcm: Int16Array;
  /** Of each frame, from being spoken to being heard, ms. */
  readonly delays: number[];
}

/** Plays `said` frame by frame. */
function play(
  said: Int16Array,
  scene: Pick<PlayedScene, "link" | "codec" | "skew" | "seed" | "detour">,
): Played {
  const { clockRate, frameSamples } = scene.codec.format;
  const pieces: HeardAudio[] = [];
  const delays: number[] = [];
  const counters = playScene({
    ...scene,
    seconds: said.length / clockRate,
    frame: (index) => said.slice(index * frameSamples, (index + 1) * frameSamples),
    heard: (piece, delay) => {
      pieces.push(piece);
      if (delay !== undefined) delays.push(delay);
    },
  });
  const pcm = new Int16Array(pieces.reduce((sum, piece) => sum + piece.pcm.length, 0));
  for (const { position, pcm: samples } of pieces) pcm.set(samples, position);
  return { counters, pieces, pcm, delays };
}

/** Longest run of pieces within speech that were made up, ms. */
function longestHole({ pieces }: Played): number {
  let [longest, run] = [0, 0];
  const last = pieces.findLastIndex(({ kind }) => kind === "speech");
  const first = pieces.findIndex(({ kind }) => kind === "speech");
  for (const { kind, pcm, clockRate } of pieces.slice(first, last)) {
    run = kind === "speech" ? 0 : run + (pcm.length / clockRate) * 1000;
    longest = Math.max(longest, run);
  }
  return longest;
}

function steepest(pcm: Int16Array): number {
  let most = 0;
  for (let at = 1; at < pcm.length; at += 1) {
    most = Math.max(most, Math.abs((pcm[at] as number) - (pcm[at - 1] as number)));
  }
  return most;
}

describe("a speaker whose clock runs apart", () => {
  it.each([300, -300])("is followed at %d ppm, and nobody hears it", (ppm) => {
    expectNoDrift(3, ppm);
  });

  it.each([300, -300])("is understood as said, at %d ppm", (ppm) => {
    const once = speech("ada-1", "bob-1", "ada-2", "bob-2", "ada-3", "bob-3");
    const said = new Int16Array(once.length * 3);
    for (const times of [0, 1, 2]) said.set(once, times * once.length);
    const codec = new LinearCodec(48_000, 20);
    const played = play(said, { link: { delay: 20, jitter: 2 }, codec, skew: 1 + ppm / 1e6 });
    expect(played.counters).toMatchObject({ concealed: 0, late: 0, shrunk: 0 });
    expect(Math.max(...played.delays)).toBeLessThan(75);
    expect(steepest(played.pcm)).toBeLessThanOrEqual(steepest(said));
  });
});

describe("3 % loss and 30 ms jitter, in Opus with forward error correction", () => {
  it("is heard within 150 ms, less than 4 % of it made up, without a gap of more than 60 ms", async () => {
    const format = audioFormat("opus", 1, 20);
    if (format === undefined) throw new Error("no Opus");
    const said = speech("ada-1", "bob-1", "ada-2");
    const totals = { heard: 0, concealed: 0, recovered: 0 };
    for (const seed of [1, 2, 3]) {
      const codec = await createAudioCodec(format, { expectedLoss: 0.1 });
      const network = { delay: 40, jitter: 30, loss: 0.03, reorder: true };
      const played = play(said, { link: network, codec, seed });
      totals.heard += played.counters.heard;
      totals.concealed += played.counters.concealed;
      totals.recovered += played.counters.recovered;
      const lookahead = (codec.lookahead * 1000) / format.clockRate;
      expect(Math.max(...played.delays) + lookahead).toBeLessThanOrEqual(150);
      expect(longestHole(played)).toBeLessThanOrEqual(60);
      if (seed === 1) expect(compareUtterance(said, played.pcm, 48_000).correlation).toBeGreaterThan(0.9);
    }
    expect(totals.concealed / (totals.heard + totals.concealed)).toBeLessThan(0.04);
    // Most losses stand alone, and of half of them the next frame says what they were.
    expect(totals.recovered / totals.concealed).toBeGreaterThan(0.4);
  });
});

describe("a way that takes 80 ms longer for five seconds", () => {
  const once = speech("ada-1", "bob-1", "ada-2", "bob-2", "ada-3", "bob-3");
  const said = new Int16Array(once.length * 2);
  said.set(once);
  said.set(once, once.length);
  const played = play(said, {
    link: { delay: 20, jitter: 2 },
    detour: (leaves) => (leaves >= 5_000 && leaves < 10_000 ? 80 : 0),
    codec: new LinearCodec(48_000, 20),
  });
  const delayAt = (seconds: number) => played.delays[Math.min(played.delays.length, seconds * 50) - 1] ?? 0;

  it("is bridged for five frame times at most, and no frame is left out for it", () => {
    const { awaited, concealed, late, shrunk } = played.counters;
    expect(concealed).toBeLessThanOrEqual(5);
    expect({ late, shrunk }).toEqual({ late: 0, shrunk: 0 });
    expect(awaited).toBe(concealed);
  });

  it("is followed at once, remembered for ten seconds, and given back slowly", () => {
    expect(delayAt(4.9)).toBeLessThan(75);
    expect(delayAt(5.5)).toBeGreaterThan(120);
    expect(delayAt(14)).toBeGreaterThan(120);
    expect(delayAt(29)).toBeLessThan(75);
    const { accelerated } = played.counters;
    expect(accelerated).toBeGreaterThan(60);
    // In any second at most a tenth of it is made up for.
    for (let at = 50; at < played.delays.length; at += 1) {
      expect((played.delays[at - 50] ?? 0) - (played.delays[at] ?? 0)).toBeLessThan(100);
    }
    expect(steepest(played.pcm)).toBeLessThanOrEqual(steepest(said));
  });
});
