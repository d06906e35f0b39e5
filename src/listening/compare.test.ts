import { describe, expect, it } from "vitest";
import { compareUtterance } from "./compare.ts";

const RATE = 8000;

/** Two seconds of a sweep whose loudness swells and fades like syllables. */
function utterance(): Int16Array {
  return Int16Array.from({ length: 2 * RATE }, (_, at) => {
    const t = at / RATE;
    return (
      9000 *
      Math.sin(2 * Math.PI * (200 + 150 * t) * t) *
      (0.6 + 0.4 * Math.sin(2 * Math.PI * 3.1 * t + t * t))
    );
  });
}

function placed(pcm: Int16Array, at: number, total: number): Int16Array {
  const recording = new Int16Array(total);
  recording.set(pcm, at);
  return recording;
}

describe("comparing an utterance with a recording", () => {
  it("finds it to the sample and calls it the same", () => {
    const found = compareUtterance(utterance(), placed(utterance(), 7321, 5 * RATE), RATE);
    expect(found.offset).toBe(7321);
    expect(found.correlation).toBeCloseTo(1, 6);
    expect(found.longestGap).toBe(0);
  });

  it("finds it where the recording lacks its beginning, and hears the rest as it is", () => {
    const lacking = RATE / 10;
    const recording = placed(utterance().subarray(lacking), 0, 5 * RATE);
    const found = compareUtterance(utterance(), recording, RATE);
    // A piece that is not whole is placed to some milliseconds.
    expect(Math.abs(found.offset + lacking)).toBeLessThan(RATE / 100);
    expect(Math.abs(found.longestGap - 100)).toBeLessThanOrEqual(10);
    expect(found.correlation).toBeGreaterThan(0.95);
  });

  it("tells a hole by its length", () => {
    const recording = placed(utterance(), 4000, 5 * RATE);
    recording.fill(0, 4000 + RATE, 4000 + RATE + RATE / 10);
    const found = compareUtterance(utterance(), recording, RATE);
    expect(found.offset).toBe(4000);
    expect(found.longestGap).toBe(100);
    expect(found.correlation).toBeLessThan(0.99);
  });

  it("follows playout that moves by a frame, and says so", () => {
    const recording = new Int16Array(5 * RATE);
    recording.set(utterance().subarray(0, RATE), 4000);
    recording.set(utterance().subarray(RATE), 4000 + RATE + RATE / 50);
    const found = compareUtterance(utterance(), recording, RATE);
    expect(found.offset).toBe(4000);
    expect(found.slips).toBe(1);
    expect(found.correlation).toBeGreaterThan(0.99);
    expect(found.rigidCorrelation).toBeLessThan(0.8);
    expect(found.longestGap).toBeLessThanOrEqual(20);
  });

  it("does not mistake noise for speech", () => {
    let state = 1;
    const noise = Int16Array.from({ length: 5 * RATE }, () => {
      state = (state * 48271) % 2147483647;
      return (state % 12000) - 6000;
    });
    expect(Math.abs(compareUtterance(utterance(), noise, RATE).correlation)).toBeLessThan(0.2);
  });
});
