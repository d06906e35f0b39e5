import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseWav } from "../../codecs/wav.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { audioLevel } from "../audio-level.ts";
import { LoudnessDetector } from "./loudness-detector.ts";

const RATE = 48_000;
const FRAME = 960;
const FILES = ["ada-1", "ada-2", "ada-3", "bob-1", "bob-2", "bob-3"] as const;

function speech(name: string): Int16Array {
  const read = parseWav(readFileSync(new URL(`../../examples/speech/${name}.wav`, import.meta.url)));
  if (!read.ok) throw new Error(read.fault.message);
  return read.value.samples;
}

function silence(seconds: number): Int16Array {
  return new Int16Array(Math.round(seconds * RATE));
}

function joined(...parts: readonly Int16Array[]): Int16Array {
  const all = new Int16Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** `pcm` scaled and with white noise of `noiseDb` (root mean square, dB of full scale) over it. */
function inRoom(pcm: Int16Array, noiseDb: number, gain = 1): Int16Array {
  const random = new SeededRandom(5);
  // Uniform noise has a root mean square of its half-width over the root of three.
  const halfWidth = 32768 * 10 ** (noiseDb / 20) * Math.sqrt(3);
  return pcm.map((sample) => sample * gain + (random.next() * 2 - 1) * halfWidth);
}

/** A fan: low noise at about -40 dB. */
function rumble(seconds: number): Int16Array {
  let level = 0;
  return inRoom(silence(seconds), -24).map((sample) => {
    level += (sample - level) / 20;
    return level;
  });
}

/** What the detector says of `pcm`, and when, ms. */
function judged(pcm: Int16Array, detector = new LoudnessDetector()) {
  const changes: [string, number][] = [];
  for (let at = 0; at + FRAME <= pcm.length; at += FRAME) {
    const change = detector.pcm(pcm.subarray(at, at + FRAME), { clockRate: RATE, channels: 1 });
    if (change !== undefined) changes.push([change, ((at + FRAME) * 1000) / RATE]);
  }
  return changes;
}

const ROOMS = [
  ["without noise", undefined, 1],
  ["in a quiet room", -65, 1],
  ["in a noisy room", -45, 1],
  ["spoken softly in a quiet room", -65, 0.1],
] as const;

describe.each(ROOMS)("speech %s", (_room, noise, gain) => {
  it.each(FILES)("%s is one turn, from its first sound to the hangover after its last", (name) => {
    const spoken = speech(name);
    const timeline = joined(silence(2), spoken, silence(2));
    const heard = noise === undefined ? timeline : inRoom(timeline, noise, gain);
    const changes = judged(heard);
    expect(changes.map(([change]) => change)).toEqual(["begun", "ended"]);
    const [begun = 0, ended = 0] = changes.map(([, at]) => at);
    // Each file has 120 ms of silence at both ends; first and last sounds may be soft.
    expect(begun).toBeGreaterThan(2_120);
    expect(begun).toBeLessThan(2_450);
    const last = 2_000 + (spoken.length * 1000) / RATE - 120;
    expect(ended).toBeGreaterThan(last + 350);
    expect(ended).toBeLessThan(last + 760);
  });
});

describe("what is no speech", () => {
  it.each([-70, -60, -50, -40, -30])("noise of %i dB begins no turn once the room is known", (db) => {
    const changes = judged(inRoom(silence(20), db));
    expect(changes.filter(([change, at]) => change === "begun" && at > 3_000)).toEqual([]);
    expect(changes.length).toBeLessThanOrEqual(2);
  });

  it("silence begins none", () => {
    expect(judged(silence(10))).toEqual([]);
  });

  it("a click begins none", () => {
    const click = inRoom(silence(0.04), -10);
    expect(judged(inRoom(joined(silence(1), click, silence(1)), -65))).toEqual([]);
  });

  it("a fan that is switched on is a room again after a few seconds", () => {
    const detector = new LoudnessDetector();
    const changes = judged(joined(inRoom(silence(3), -70), rumble(30)), detector);
    expect(changes.at(-1)?.[0]).toBe("ended");
    expect(changes.at(-1)?.[1]).toBeLessThan(20_000);
    expect(detector.speaking).toBe(false);
  });
});

describe("turns one after the other", () => {
  it("are told apart, and a pause inside a sentence is none", () => {
    const pause = silence(1.2);
    const timeline = joined(...FILES.flatMap((name) => [pause, speech(name)]), pause);
    expect(judged(inRoom(timeline, -60)).map(([change]) => change)).toEqual(
      FILES.flatMap(() => ["begun", "ended"]),
    );
  });

  it("end at once where the speaker marks the end", () => {
    const detector = new LoudnessDetector();
    expect(judged(joined(silence(1), speech("ada-1")), detector).map(([change]) => change)).toEqual([
      "begun",
    ]);
    expect(detector.push(127, 20, true)).toBe("ended");
    expect(detector.push(127, 20, true)).toBeUndefined();
  });
});

describe("how well it does, over all of the speech here in each room", () => {
  /** Milliseconds of `pcm` that are loud: within 25 dB of its loudest 20 ms. */
  function loudFrames(pcm: Int16Array): boolean[] {
    const levels = Array.from({ length: Math.floor(pcm.length / FRAME) }, (_, at) =>
      audioLevel(pcm.subarray(at * FRAME, (at + 1) * FRAME)),
    );
    const loudest = Math.min(...levels);
    return levels.map((level) => level <= loudest + 25);
  }

  it.each(ROOMS)(
    "%s: noticed 200 ms after the first loud sound at most, and 6 %% of what is loud missed",
    (_room, noise, gain) => {
      let [loud, missed, latest] = [0, 0, 0];
      for (const name of FILES) {
        const clean = joined(silence(2), speech(name), silence(2));
        const heard = noise === undefined ? clean : inRoom(clean, noise, gain);
        const detector = new LoudnessDetector();
        const truth = loudFrames(clean);
        let noticed: number | undefined;
        for (const [at, isLoud] of truth.entries()) {
          detector.pcm(heard.subarray(at * FRAME, (at + 1) * FRAME), { clockRate: RATE, channels: 1 });
          if (detector.speaking) noticed ??= at;
          if (isLoud) loud += 1;
          if (isLoud && !detector.speaking) missed += 1;
        }
        latest = Math.max(latest, ((noticed ?? Number.POSITIVE_INFINITY) - truth.indexOf(true)) * 20);
      }
      expect(latest).toBeLessThanOrEqual(200);
      expect(missed / loud).toBeLessThanOrEqual(0.06);
    },
  );

  it("noise at five levels begins no turn in a minute each, and neither does hiss that is switched on", () => {
    for (const db of [-70, -60, -50, -40, -30]) expect(judged(inRoom(silence(60), db))).toEqual([]);
    expect(judged(joined(inRoom(silence(3), -70), inRoom(silence(30), -40)))).toEqual([]);
  });
});

describe("while this end speaks itself", () => {
  it("a short word over its voice is none, and a sentence is a turn, noticed later", () => {
    const detector = new LoudnessDetector();
    detector.talkingOver(true);
    const word = speech("ada-1").subarray(0.25 * RATE, 0.4 * RATE);
    expect(judged(inRoom(joined(silence(1), word, silence(1)), -65), detector)).toEqual([]);
    const changes = judged(inRoom(joined(silence(1), speech("ada-1"), silence(1)), -65), detector);
    expect(changes.map(([change]) => change)).toEqual(["begun", "ended"]);
  });
});
