import { expect, test } from "vitest";
import { utterance } from "../../test/scenario/talking.ts";
import { WrittenTurns } from "./written-turns.ts";

const FORMAT = { clockRate: 48_000, channels: 1 };
const FRAME = 960;

/** The marks of each frame of `pcm`. */
function marked(turns: WrittenTurns, pcm: Int16Array) {
  return Array.from({ length: pcm.length / FRAME }, (_, at) =>
    turns.frame(pcm.subarray(at * FRAME, (at + 1) * FRAME), at === 0, false),
  );
}

/** A second of silence, two of speech and two of silence. */
function spoken(): Int16Array {
  const pcm = new Int16Array(5 * FORMAT.clockRate);
  pcm.set(utterance(2, FORMAT.clockRate), FORMAT.clockRate);
  return pcm;
}

test("without a detector a turn is what is written, and all of it is voice but its end", () => {
  const turns = new WrittenTurns(undefined, FORMAT);
  const frame = new Int16Array(FRAME);
  expect(turns.frame(frame, true, false)).toEqual({ startOfTurn: true, endOfTurn: false, voice: true });
  expect(turns.frame(frame, false, true)).toEqual({ startOfTurn: false, endOfTurn: true, voice: false });
});

test("with one, turns begin and end in what never stops, and silence is no voice", () => {
  const marks = marked(new WrittenTurns("loudness", FORMAT), spoken());
  const at = (is: (mark: (typeof marks)[number]) => boolean) =>
    marks.flatMap((mark, index) => (is(mark) ? [index * 20] : []));
  const [starts, ends, voice] = [
    at(({ startOfTurn }) => startOfTurn),
    at(({ endOfTurn }) => endOfTurn),
    at((mark) => mark.voice),
  ];
  expect([starts.length, ends.length]).toEqual([1, 1]);
  expect(starts[0]).toBeLessThan(1_200);
  expect(ends[0]).toBeGreaterThan(3_500);
  expect(ends[0]).toBeLessThan(3_900);
  expect([voice[0], voice.at(-1)]).toEqual([starts[0], (ends[0] ?? 0) - 20]);
});

test("the writer may end a turn itself, and what was never said is none", () => {
  const turns = new WrittenTurns("loudness", FORMAT);
  marked(turns, spoken().subarray(0, 2 * FORMAT.clockRate));
  const loud = utterance(0.02, FORMAT.clockRate);
  expect(turns.frame(loud, false, true)).toEqual({ startOfTurn: false, endOfTurn: true, voice: false });
  marked(turns, utterance(1, FORMAT.clockRate));
  turns.reset();
  expect(turns.frame(new Int16Array(FRAME), false, false).voice).toBe(false);
});
