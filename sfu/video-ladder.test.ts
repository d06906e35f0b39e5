import { expect, it } from "vitest";
import {
  payloadRate,
  pictureAt,
  shareAmongRenditions,
  VIDEO_FLOOR,
  videoRateAbove,
  videoRateWithin,
  wireRate,
} from "./video-ladder.ts";

const hd = { maxHeight: 720, maxFrameRate: 30 };

it("steps through rates, up to the most and down to none", () => {
  expect(videoRateWithin(3_000_000, 1_700_000)).toBe(1_700_000);
  expect(videoRateWithin(1_650_000, 1_700_000)).toBe(1_600_000);
  expect(videoRateWithin(170_000, 1_700_000)).toBe(160_000);
  expect(videoRateWithin(VIDEO_FLOOR - 1, 1_700_000)).toBe(0);
  expect(videoRateAbove(0, 1_700_000)).toBe(VIDEO_FLOOR);
  expect(videoRateAbove(1_600_000, 1_700_000)).toBe(1_700_000);
});

it("makes pictures smaller, and then fewer, at lower rates", () => {
  expect(pictureAt(2_000_000, hd)).toEqual({ maxHeight: 720, maxFrameRate: 30 });
  expect(pictureAt(1_000_000, hd)).toEqual({ maxHeight: 540, maxFrameRate: 30 });
  expect(pictureAt(160_000, hd)).toEqual({ maxHeight: 180, maxFrameRate: 15 });
  expect(pictureAt(50_000, hd)).toEqual({ maxHeight: 180, maxFrameRate: 8 });
  expect(pictureAt(20_000_000, { maxHeight: 144, maxFrameRate: 5 })).toEqual({
    maxHeight: 144,
    maxFrameRate: 5,
  });
});

it("gives the least rendition its share first, and pauses better ones that would not be better", () => {
  const rates = (total: number) => shareAmongRenditions(total, 3, hd).map((one) => one.bitsPerSecond);
  expect(rates(3_000_000)).toEqual([2_000_000, 800_000, 200_000]);
  expect(rates(700_000)).toEqual([0, 500_000, 200_000]);
  expect(rates(150_000)).toEqual([0, 0, 150_000]);
  expect(rates(10_000)).toEqual([0, 0, 0]);
  expect(shareAmongRenditions(3_000_000, 3, hd).map((one) => one.maxHeight)).toEqual([720, 360, 180]);
});

it("finds a rate for small renditions, too", () => {
  const small = { maxHeight: 360, maxFrameRate: 30 };
  const rates = (total: number) => shareAmongRenditions(total, 3, small).map((one) => one.bitsPerSecond);
  expect(rates(1_000_000)).toEqual([700_000, 200_000, 100_000]);
  expect(rates(60_000)).toEqual([0, 0, 60_000]);
  // What is left is no better picture: it makes the one that is sent better.
  expect(rates(160_000)).toEqual([0, 0, 160_000]);
  expect(rates(400_000)).toEqual([0, 300_000, 100_000]);
});

it("says what goes over the way for a rate of payload, as it said the other way round", () => {
  for (const rate of [48_000, 100_000, 250_000, 1_000_000, 20_000_000])
    for (const frameRate of [8, 15, 30, 60])
      expect(Math.abs(wireRate(payloadRate(rate, frameRate), frameRate) - rate)).toBeLessThan(3);
});
