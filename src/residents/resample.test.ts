import { describe, expect, it } from "vitest";
import { Resampler, resample } from "./resample.ts";

const tone = (hz: number, rate: number, seconds = 0.5) =>
  Int16Array.from({ length: rate * seconds }, (_, at) => 10_000 * Math.sin((2 * Math.PI * hz * at) / rate));

/** Root mean square of the difference, and of `pcm`, without the ends, where the sound begins out of nothing. */
function difference(pcm: Int16Array, other: Int16Array): number {
  let sum = 0;
  const margin = Math.floor(pcm.length / 10);
  for (let at = margin; at < pcm.length - margin; at += 1) {
    sum += ((pcm[at] as number) - (other[at] as number)) ** 2;
  }
  return Math.sqrt(sum / (pcm.length - 2 * margin));
}

describe("resampling", () => {
  it.each([
    [16_000, 48_000],
    [22_050, 48_000],
    [22_050, 8_000],
    [48_000, 8_000],
  ])("keeps a tone of 1 kHz from %i to %i Hz", (from, to) => {
    const there = resample(tone(1_000, from), from, to);
    expect(there).toHaveLength(to / 2);
    expect(difference(there, tone(1_000, to))).toBeLessThan(60);
  });

  it("lets nothing fold down from above the lower rate's band", () => {
    const there = resample(tone(6_000, 48_000), 48_000, 8_000);
    expect(difference(there, new Int16Array(there.length))).toBeLessThan(20);
  });

  it("makes the same of a sound in pieces as of the whole", () => {
    const pcm = tone(700, 22_050);
    const resampler = new Resampler(22_050, 48_000);
    const whole = resample(pcm, 22_050, 48_000);
    const pieces: number[] = [];
    for (let at = 0; at < whole.length; at += 4_800)
      pieces.push(...resampler.stretch(pcm, at, Math.min(whole.length, at + 4_800)));
    expect(Int16Array.from(pieces)).toEqual(whole);
  });

  it("gives back what is at the rate already", () => {
    const pcm = tone(300, 8_000);
    expect(resample(pcm, 8_000, 8_000)).toEqual(pcm);
  });
});
