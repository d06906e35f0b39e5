import { expect, test } from "vitest";
import { findMarkers, markerTone } from "./marker.ts";

const RATE = 48_000;
const marker = markerTone(RATE);

/** Noise of `samples` with markers at the places given, `gain` as loud as they were made. */
function recording(samples: number, places: readonly number[], gain = 1): Int16Array {
  const pcm = Int16Array.from({ length: samples }, (_, index) => Math.round(300 * Math.sin(index * index)));
  for (const place of places)
    for (const [index, value] of marker.entries())
      pcm[place + index] = (pcm[place + index] ?? 0) + value * gain;
  return pcm;
}

test("markers are found where they were put, to the sample", () => {
  const places = [0, 9_601, 20_000, 47_000 - marker.length];
  expect(findMarkers(recording(47_000, places), marker).map(({ at }) => at)).toEqual(places);
});

test("a marker at half its loudness is found as well", () => {
  const [only] = findMarkers(recording(10_000, [4_321], 0.5), marker);
  expect(only?.at).toBe(4_321);
});

test("silence, noise and a steady tone are no markers", () => {
  const tone = Int16Array.from({ length: 10_000 }, (_, index) => Math.round(9_000 * Math.sin(index * 0.2)));
  for (const pcm of [new Int16Array(10_000), recording(10_000, []), tone, new Int16Array(10)])
    expect(findMarkers(pcm, marker)).toEqual([]);
});
