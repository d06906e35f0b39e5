import { expect, it } from "vitest";
import type { HopEstimate } from "./congestion/media-hop.ts";
import { isJammedBy, stillTakes } from "./jammed-way.ts";

const way: HopEstimate = {
  ...{ bitsPerSecond: 2_000_000, roundTrip: 20, leastRoundTrip: 20, queueDelay: 0, lossShare: 0 },
  ...{ inFlight: 20_000, standing: 0, voices: 60_000, limited: false, beginning: false, behind: undefined },
};

it("a way is jammed by more than is put on it in a time, and never by a few packets", () => {
  expect(isJammedBy(15_000, 2_000_000, 60)).toBe(false);
  expect(isJammedBy(15_001, 2_000_000, 60)).toBe(true);
  expect(isJammedBy(4_000, 100_000, 60)).toBe(false);
});

it("a jammed way is told to take half of what it took, any other one all of it", () => {
  expect(stillTakes({ ...way, standing: 9_000 })).toBe(2_000_000);
  expect(stillTakes({ ...way, standing: 11_000 })).toBe(1_000_000);
  expect(stillTakes({ ...way, bitsPerSecond: 300_000, standing: 3_000 })).toBe(300_000);
});
