import { expect, it } from "vitest";
import { refusedSequences } from "./frame-fate.ts";

it.each([
  ["a run without gaps is told number by number", { first: 7, last: 10, count: 4 }, [7, 8, 9, 10]],
  ["of scattered ones the ends are known", { first: 7, last: 30, count: 3 }, [7, undefined, 30]],
  ["one frame is one frame", { first: 7, last: 7, count: 1 }, [7]],
  [
    "what could not be read has no number",
    { first: undefined, last: undefined, count: 2 },
    [undefined, undefined],
  ],
] as const)("%s", (_name, range, expected) => {
  expect(refusedSequences({ flow: 1, reason: "signature", ...range })).toEqual(expected);
});

it("tells no more than 64 of one report", () => {
  expect(refusedSequences({ flow: 1, reason: "rate", first: 1, last: 900, count: 900 })).toHaveLength(64);
});
