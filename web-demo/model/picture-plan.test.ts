import { expect, test } from "vitest";
import { encodingFor, isWorthChanging } from "./picture-plan.ts";

const CAMERA = { width: 1280, height: 720 };

test.each([
  [CAMERA, 360, { width: 640, height: 360 }],
  [CAMERA, 2_160, { width: 1280, height: 720 }],
  [{ width: 641, height: 481 }, 1_080, { width: 640, height: 480 }],
  [{ width: 1919, height: 1079 }, 270, { width: 480, height: 270 }],
  [{ width: 720, height: 1280 }, 640, { width: 360, height: 640 }],
])("%j within %i lines is %j", (source, maxHeight, size) => {
  expect(encodingFor(source, { bitsPerSecond: 500_000, maxHeight, maxFrameRate: 30 })).toMatchObject(size);
});

test("a rate is for what is around the pictures as well, and none means nothing", () => {
  const wanted = { bitsPerSecond: 100_000, maxHeight: 360, maxFrameRate: 15 };
  expect(encodingFor(CAMERA, wanted)).toMatchObject({ bitsPerSecond: 92_000, frameRate: 15 });
  expect(encodingFor(CAMERA, { ...wanted, bitsPerSecond: 0 })).toBeUndefined();
  expect(encodingFor(CAMERA, { ...wanted, maxFrameRate: 0 })).toBeUndefined();
});

test.each([
  [{}, false],
  [{ bitsPerSecond: 103_000 }, false],
  [{ bitsPerSecond: 99_000 }, true],
  [{ bitsPerSecond: 120_000 }, true],
  [{ height: 180 }, true],
  [{ frameRate: 15 }, true],
])("an encoder is set anew for %j: %s", (change, isWorth) => {
  const present = { width: 640, height: 360, bitsPerSecond: 100_000, frameRate: 30 };
  expect(isWorthChanging(present, { ...present, ...change })).toBe(isWorth);
});
