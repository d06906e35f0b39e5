import { expect, test } from "vitest";
import { codecName, codecString } from "./video-codec.ts";

test.each([
  ["vp8", 1_280, 720, "vp8"],
  ["vp9", 640, 360, "vp09.00.21.08"],
  ["vp9", 1_280, 720, "vp09.00.31.08"],
  ["av1", 1_920, 1_080, "av01.0.09M.08"],
  ["av1", 3_840, 2_160, "av01.0.13M.08"],
] as const)("%s of %i x %i is %s", (name, width, height, full) => {
  expect(codecString(name, { width, height })).toBe(full);
});

test("people know them in capitals", () => {
  expect(["vp8", "av1", "h266"].map(codecName)).toEqual(["VP8", "AV1", "H266"]);
});
