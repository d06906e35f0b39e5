import { expect, it } from "vitest";
import { VoiceWait } from "./voice-wait.ts";

const FRAME_MS = 100;

/** Frames from `from` to `to`, each ready so long after its capture, beside a voice that is heard `usual` and its wait after its own. Returns each wait. */
function watched(
  wait: VoiceWait,
  from: number,
  to: number,
  transit: (index: number) => number,
  usual = 60,
): number[] {
  const waits: number[] = [];
  for (let index = 0, captured = from; captured < to; index += 1, captured += FRAME_MS) {
    const delay = usual + (waits.at(-1) ?? 0);
    const now = captured + transit(index);
    wait.ready(captured, now, captured + delay);
    waits.push(wait.at(now, delay));
  }
  return waits;
}

it("lets the voice wait for nobody while frames are there in time", () => {
  expect(Math.max(...watched(new VoiceWait(), 0, 60_000, () => 50))).toBe(0);
});

it("has it wait for frames of which one in ten is late, but for what nobody notices, by small steps", () => {
  const waits = watched(new VoiceWait(), 0, 60_000, (index) => (index % 10 === 0 ? 130 : 50));
  expect(waits.at(-1)).toBe(60);
  for (const [at, next] of waits.slice(1).entries())
    expect(Math.abs(next - (waits[at] ?? 0))).toBeLessThanOrEqual(10);
});

it("never has it wait for longer than a tenth of a second", () => {
  expect(Math.max(...watched(new VoiceWait(), 0, 60_000, () => 900))).toBe(100);
});

it("minds neither the first frames, behind their key frame, nor one in fifty", () => {
  const waits = watched(new VoiceWait(), 0, 60_000, (index) => (index < 18 || index % 50 === 0 ? 400 : 50));
  expect(Math.max(...waits)).toBe(0);
});

it("takes late frames that come together for the last of them", () => {
  const wait = new VoiceWait();
  // Four of which the first three are late come at once, again and again.
  const waits = watched(wait, 0, 60_000, (index) => 50 + (3 - (index % 4)) * FRAME_MS);
  expect(Math.max(...waits)).toBe(0);
});

it("lets go by and by when frames are in time again, and when none come", () => {
  const wait = new VoiceWait();
  expect(watched(wait, 0, 40_000, () => 200).at(-1)).toBe(100);
  const waits = watched(wait, 40_000, 100_000, () => 50);
  expect(waits.at(-1)).toBe(0);
  expect(watched(wait, 100_000, 140_000, () => 200).at(-1)).toBe(100);
  const after = Array.from({ length: 100 }, (_, at) => wait.at(150_300 + at * 200, 160));
  expect(after.at(-1)).toBe(0);
});
