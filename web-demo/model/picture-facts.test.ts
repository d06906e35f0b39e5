import { expect, test } from "vitest";
import {
  captionOf,
  NO_PICTURES,
  ownCaptionOf,
  type SeenFacts,
  type ShownFacts,
  seenRows,
  shownRows,
} from "./picture-facts.ts";

const SEEN: SeenFacts = {
  codec: "vp8",
  size: { width: 640, height: 360 },
  rendition: 0,
  shownRate: 29.6,
  passedOver: 2,
  keysAsked: 1,
  freezes: 2,
  frozenMs: 840,
  switches: 0,
  skew: { p50: 4.2, p95: 11.6 },
};

const SHOWN: ShownFacts = {
  codec: "av1",
  renditions: [
    { rendition: 0, encoding: undefined },
    { rendition: 1, encoding: { width: 320, height: 180, frameRate: 15, bitsPerSecond: 92_000 } },
  ],
  wanted: 100_000,
  keys: 3,
  keysAsked: 2,
  leftOut: 7,
  behind: 1,
};

const texts = (rows: readonly (readonly [string, string, string])[]) => rows.map(([, , text]) => text);

test("what is seen is said in a few rows", () => {
  expect(texts(seenRows({ seen: SEEN, shown: undefined }))).toEqual([
    "640 × 360, 30 a second",
    "the best",
    "4 ms, at most 12 ms in 95 %",
    "1",
    "0.8 s in 2 stops",
    "2",
  ]);
  const poor = {
    ...SEEN,
    size: undefined,
    rendition: 1,
    switches: 3,
    freezes: 0,
    skew: { p50: undefined, p95: undefined },
  };
  expect(texts(seenRows({ seen: poor, shown: undefined }))).toEqual([
    "none yet",
    "number 2, changed 3 times",
    "not known yet",
    "1",
    "never",
    "2",
  ]);
  expect(captionOf(SEEN)).toBe("640 × 360 · 30 a second · VP8");
});

test("what is shown is said by rendition", () => {
  expect(texts(shownRows({ seen: undefined, shown: SHOWN }))).toEqual([
    "paused",
    "320 × 180, 15 a second, 92 kbit/s",
    "100 kbit/s",
    "3, 2",
    "7, 1",
  ]);
  expect(ownCaptionOf(SHOWN)).toBe("320 × 180 · up to 15 a second · AV1");
  expect(ownCaptionOf({ ...SHOWN, renditions: [] })).toBe("Paused: there is no room for it");
});

test("where there are no pictures nothing is said", () => {
  expect([seenRows(NO_PICTURES), shownRows(NO_PICTURES)]).toEqual([[], []]);
});
