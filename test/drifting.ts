/** A call between two clocks that run apart: what a tone goes through. */
import { expect } from "vitest";
import { LinearCodec, playScene } from "./playing.ts";
import { purityOf } from "./purity.ts";

const RATE = 48_000;
const FREQUENCY = 440;
/** As many samples hold a whole number of periods. */
const PERIODS = 1200;
const AROUND = RATE / 10;

/** Plays a tone for `minutes` from a speaker whose clock is fast by `ppm`, and holds it to what nobody can hear. */
export function expectNoDrift(minutes: number, ppm: number): void {
  const tone = Int16Array.from({ length: 960 + PERIODS }, (_, at) =>
    Math.round(9000 * Math.sin((2 * Math.PI * FREQUENCY * at) / RATE)),
  );
  const delays: number[] = [];
  let [worst, roughest, joints] = [Number.POSITIVE_INFINITY, 0, 0];
  /** The last of what was heard, and how much of it comes before the joint that is looked at. */
  let tail = new Int16Array(0);
  let wanted = 0;
  let began = false;
  const look = (pcm: Int16Array) => {
    const { worst: here, roughest: rough } = purityOf(pcm, FREQUENCY, RATE);
    worst = Math.min(worst, here);
    roughest = Math.max(roughest, rough);
  };
  const outcome = playScene({
    seconds: minutes * 60,
    link: { delay: 20, jitter: 2 },
    codec: new LinearCodec(RATE, 20),
    frame: (index) => {
      const from = (index * 960) % PERIODS;
      return tone.subarray(from, from + 960);
    },
    skew: 1 + ppm / 1e6,
    heard: (piece, delay) => {
      if (delay !== undefined) {
        began = true;
        delays.push(delay);
      }
      if (!began || piece.kind !== "speech") return;
      const whole = new Int16Array(tail.length + piece.pcm.length);
      whole.set(tail);
      whole.set(piece.pcm, tail.length);
      tail = whole.subarray(Math.max(0, whole.length - 2 * AROUND));
      if (piece.pcm.length !== 960) {
        joints += 1;
        wanted = AROUND;
      } else if (wanted > 0) {
        wanted -= piece.pcm.length;
        if (wanted <= 0) look(tail);
      }
    },
  });
  const { accelerated, awaited, concealed, duplicate, expanded, heard, late, overflow, sent, shrunk } =
    outcome;
  expect(heard).toBe(sent);
  expect({ concealed, late, shrunk, overflow, awaited, duplicate }).toEqual({
    concealed: 0,
    late: 0,
    shrunk: 0,
    overflow: 0,
    awaited: 0,
    duplicate: 0,
  });
  // One way or the other the drift is made up for, in pieces too few and too well joined to be heard.
  const drift = (minutes * 60_000 * ppm) / 1e6;
  const followed = accelerated - expanded;
  expect(Math.abs(followed - drift)).toBeLessThan(30);
  expect(joints / minutes).toBeLessThan(3);
  expect(worst).toBeGreaterThan(38);
  expect(roughest).toBeLessThan(1.2);
  // 20 ms of frame, 20 of network, and what the playout adds.
  const least = delays.reduce((a, b) => Math.min(a, b));
  const most = delays.reduce((a, b) => Math.max(a, b));
  expect(least).toBeGreaterThan(40);
  expect(most).toBeLessThan(75);
}
