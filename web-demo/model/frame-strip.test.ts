import { expect, it } from "vitest";
import { FrameStrip } from "./frame-strip.ts";

it("counts frames by fate and keeps the newest last", () => {
  const strip = new FrameStrip();
  strip.add({ sequence: 1, fate: "verified", level: 0 });
  strip.add({ sequence: undefined, fate: "concealed" });
  strip.add({ sequence: 3, fate: "late", level: 127 });
  expect(strip.totals).toEqual({
    sent: 0,
    unsent: 0,
    verified: 1,
    late: 1,
    concealed: 1,
    refused: 0,
    away: 0,
  });
  expect(strip.last(2).map(({ fate }) => fate)).toEqual(["concealed", "late"]);
  expect(strip.last(3).map(({ loudness }) => loudness)).toEqual([1, undefined, 0]);
});

it("gives a sent frame its verdict when the relay refused it", () => {
  const strip = new FrameStrip();
  for (const sequence of [1, 2, 3]) strip.add({ sequence, fate: "sent", level: 30 });
  strip.add({ sequence: 2, fate: "refused", reason: "signature" });
  expect(strip.last(3).map(({ fate }) => fate)).toEqual(["sent", "refused", "sent"]);
  expect(strip.last(2)[0]).toEqual({ sequence: 2, fate: "refused", reason: "signature", loudness: 0.5 });
  expect(strip.totals).toMatchObject({ sent: 2, refused: 1 });
  expect(strip.reasons).toEqual([["signature", 1]]);
});

it("leaves a gap as long as an end was away, and counts it in frames", () => {
  const strip = new FrameStrip();
  strip.add({ sequence: 1, fate: "verified" });
  strip.away(100);
  strip.away(60_000);
  strip.add({ sequence: 2, fate: "verified" });
  expect(strip.totals).toMatchObject({ verified: 2, away: 3_005 });
  expect(strip.last(2).map(({ fate }) => fate)).toEqual(["away", "verified"]);
});

it("shows a refusal of a frame it does not know as a tick of its own", () => {
  const strip = new FrameStrip();
  strip.add({ sequence: undefined, fate: "refused", reason: "scope" });
  strip.add({ sequence: 9, fate: "refused", reason: "scope" });
  strip.add({ sequence: 9, fate: "refused", reason: "stale" });
  expect(strip.totals.refused).toBe(3);
  expect(strip.reasons).toEqual([
    ["scope", 2],
    ["stale", 1],
  ]);
});

it("forgets the oldest ticks and none of the totals", () => {
  const strip = new FrameStrip();
  for (let sequence = 0; sequence < 5_000; sequence += 1) strip.add({ sequence, fate: "verified" });
  expect(strip.totals.verified).toBe(5_000);
  const kept = strip.last(Number.POSITIVE_INFINITY);
  expect(kept.length).toBeLessThanOrEqual(1_000);
  expect(kept.at(-1)?.sequence).toBe(4_999);
});
