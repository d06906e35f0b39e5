import { expect, it } from "vitest";
import type { HopEstimate } from "./congestion/media-hop.ts";
import { hasRoom, isLittleTried } from "./untried-way.ts";

const way: HopEstimate = {
  ...{ bitsPerSecond: 300_000, roundTrip: 20, leastRoundTrip: 20, queueDelay: 0, lossShare: 0 },
  ...{ inFlight: 0, standing: 0, voices: 60_000, limited: true, beginning: true, behind: undefined },
};

it("a way has room while less is offered than it is known to take, and nothing waits or is lost there", () => {
  expect(hasRoom(way)).toBe(true);
  expect(hasRoom({ ...way, limited: false })).toBe(false);
  expect(hasRoom({ ...way, queueDelay: 40 })).toBe(false);
  expect(hasRoom({ ...way, lossShare: 0.05 })).toBe(false);
});

it("what a way takes is not known where little was ever offered, or nobody has spoken and nothing has waited", () => {
  expect(isLittleTried(way)).toBe(true);
  expect(isLittleTried({ ...way, bitsPerSecond: 400_000 })).toBe(false);
  const silent = { ...way, bitsPerSecond: 400_000, limited: false, voices: 0 };
  expect(isLittleTried(silent)).toBe(true);
  for (const known of [{ beginning: false }, { voices: 20_000 }, { queueDelay: 40 }, { lossShare: 0.05 }])
    expect(isLittleTried({ ...silent, ...known })).toBe(false);
});
