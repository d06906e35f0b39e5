import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseWav } from "../codecs/wav.ts";
import { purityOf } from "../test/purity.ts";
import { TimeStretch } from "./time-stretch.ts";

const RATE = 48_000;

function tone(seconds: number, frequency = 440, rate = RATE): Int16Array {
  return Int16Array.from({ length: seconds * rate }, (_, at) =>
    Math.round(9000 * Math.sin((2 * Math.PI * frequency * at) / rate)),
  );
}

function speech(name: string): Int16Array {
  const read = parseWav(readFileSync(new URL(`../examples/speech/${name}.wav`, import.meta.url)));
  if (!read.ok) throw new Error(read.fault.message);
  return read.value.samples;
}

interface Stretched {
  readonly pcm: Int16Array;
  /** Frames that were made shorter or longer. */
  readonly changed: number;
}

/** Plays `pcm` frame by frame, every `every`th adjusted. */
function play(
  pcm: Int16Array,
  options: {
    readonly ms: number;
    readonly likeness: number;
    readonly every?: number;
    readonly frameMs?: number;
    readonly rate?: number;
    readonly channels?: 1 | 2;
  },
): Stretched {
  const { ms, likeness, every = 1, frameMs = 20, rate = RATE, channels = 1 } = options;
  const stretch = new TimeStretch({ clockRate: rate, channels });
  const length = ((rate * frameMs) / 1000) * channels;
  const out: number[] = [];
  let changed = 0;
  for (let frame = 0; (frame + 1) * length <= pcm.length; frame += 1) {
    const piece = pcm.slice(frame * length, (frame + 1) * length);
    if (frame % every === every - 1) {
      const played = stretch.adjust(piece, { ms, likeness });
      if (played.length !== piece.length) changed += 1;
      for (const value of played) out.push(value);
    } else {
      stretch.note(piece);
      for (const value of piece) out.push(value);
    }
  }
  return { pcm: Int16Array.from(out), changed };
}

/** Median pitch of what is voiced, Hz. */
function pitchOf(pcm: Int16Array): number {
  const found: number[] = [];
  const window = 1440;
  for (let from = 0; from + window + 800 <= pcm.length; from += 480) {
    const alike: number[] = [];
    for (let lag = 160; lag <= 800; lag += 2) {
      let [product, energy] = [0, 0];
      for (let at = from; at < from + window; at += 6) {
        const [a, b] = [pcm[at] as number, pcm[at + lag] as number];
        product += a * b;
        energy += a * a + b * b;
      }
      alike.push(energy < 1e8 ? 0 : (2 * product) / energy);
    }
    const best = Math.max(...alike);
    // The first of the peaks, or an octave below would be as good.
    const first = alike.findIndex(
      (value, at) => value > 0.95 * best && value >= (alike[at + 1] ?? 0) && value >= (alike[at - 1] ?? 1),
    );
    if (best > 0.85 && first > 0) found.push(RATE / (160 + 2 * first));
  }
  found.sort((a, b) => a - b);
  return found[found.length >> 1] ?? Number.NaN;
}

/** Largest difference between neighbouring samples. */
function steepest(pcm: Int16Array): number {
  let most = 0;
  for (let at = 1; at < pcm.length; at += 1) {
    most = Math.max(most, Math.abs((pcm[at] as number) - (pcm[at - 1] as number)));
  }
  return most;
}

const WAYS = [
  ["shorter", -15],
  ["longer", 15],
] as const;

describe("a tone", () => {
  it.each(WAYS)("made %s ten times a second keeps its pitch and stays pure, without a jump", (_, ms) => {
    for (const frequency of [110, 440, 1000, 3000]) {
      const { pcm, changed } = play(tone(4, frequency), { ms, likeness: 0.97, every: 5 });
      expect(changed).toBe(40);
      expect(Math.sign(pcm.length / RATE - 4)).toBe(Math.sign(ms));
      expect(Math.abs(pcm.length / RATE - 4)).toBeGreaterThan(0.09);
      const purity = purityOf(pcm, frequency, RATE);
      expect(purity.worst).toBeGreaterThan(35);
      expect(purity.overall).toBeGreaterThan(40);
      expect(purity.detuned).toBeLessThan(1);
      expect(purity.roughest).toBeLessThan(2.5);
    }
  });

  it.each([
    [8_000, 20],
    [16_000, 20],
    [48_000, 10],
    [48_000, 60],
  ])("the same at %d Hz in frames of %d ms", (rate, frameMs) => {
    for (const ms of [-15, 15]) {
      const { pcm, changed } = play(tone(4, 440, rate), { ms, likeness: 0.9, every: 5, frameMs, rate });
      expect(changed).toBeGreaterThan(0.9 * Math.floor(4000 / frameMs / 5));
      // One sample is a larger part of a period where there are fewer.
      expect(purityOf(pcm, 440, rate).worst).toBeGreaterThan(rate < RATE ? 22 : 35);
    }
  });

  it.each(WAYS)("made %s in stereo is cut at the same place on both sides", (_, ms) => {
    const [left, right] = [tone(2, 440), tone(2, 660)];
    const both = new Int16Array(left.length * 2);
    for (const [at, value] of left.entries()) both.set([value, right[at] as number], at * 2);
    const { pcm, changed } = play(both, { ms, likeness: 0.95, every: 5, channels: 2 });
    expect(changed).toBe(20);
    const side = (which: number) => pcm.filter((_, at) => at % 2 === which);
    expect(purityOf(side(0), 440, RATE).worst).toBeGreaterThan(25);
    expect(purityOf(side(1), 660, RATE).worst).toBeGreaterThan(25);
  });
});

describe("speech", () => {
  it.each(WAYS)("made %s five times a second keeps its pitch, and has no jump of its own", (_, ms) => {
    for (const name of ["ada-1", "bob-1"]) {
      const said = speech(name);
      const { pcm, changed } = play(said, { ms, likeness: 0.9, every: 10 });
      expect(changed).toBeGreaterThan((0.5 * said.length) / 9600);
      expect(Math.sign(pcm.length - said.length)).toBe(Math.sign(ms));
      expect(steepest(pcm)).toBeLessThanOrEqual(steepest(said));
      expect(Math.abs(1200 * Math.log2(pitchOf(pcm) / pitchOf(said)))).toBeLessThan(60);
    }
  });

  it("is changed only where it goes on as it would have, as far as nobody insists", () => {
    const said = speech("ada-1");
    const [picky, urgent] = [0.97, 0].map((likeness) => play(said, { ms: -15, likeness }).changed);
    expect(picky).toBeGreaterThan(0);
    expect(picky).toBeLessThan((urgent ?? 0) * 0.75);
    expect(urgent).toBeGreaterThan(0.98 * Math.floor(said.length / 960));
  });
});

describe("a frame", () => {
  it("of noise stays as it is until the delay is urgent", () => {
    let seed = 1;
    const noise = Int16Array.from({ length: RATE }, () => {
      seed = (seed * 48_271) % 2_147_483_647;
      return (seed % 16_000) - 8_000;
    });
    expect(play(noise, { ms: -15, likeness: 0.9 }).changed).toBe(0);
    expect(play(noise, { ms: -15, likeness: 0 }).changed).toBe(50);
  });

  it("changes by no more than is asked, and not at all where that is less than a period", () => {
    for (const ms of [-6, 6]) {
      const { pcm, changed } = play(tone(1), { ms, likeness: 0.9, every: 50 });
      expect(changed).toBe(1);
      expect(Math.abs(pcm.length - RATE)).toBeLessThanOrEqual(288);
      expect(play(tone(1), { ms: ms / 3, likeness: 0 }).changed).toBe(0);
    }
  });

  it("much quieter than what was said is cut wherever it is", () => {
    const said = speech("ada-1").slice(0, RATE);
    const hush = Int16Array.from({ length: RATE }, (_, at) => ((at * 7919) % 61) - 30);
    const both = new Int16Array(2 * RATE);
    both.set(said);
    both.set(hush, RATE);
    const { pcm } = play(both, { ms: -10, likeness: 1.01 });
    expect(2 * RATE - pcm.length).toBeGreaterThan(0.25 * RATE);
  });
});
