import { expect, test } from "vitest";
import { VirtualClock } from "../../test/net/virtual-clock.ts";
import type { FrameFate } from "../frame-fate.ts";
import { Speaking } from "./speaking.ts";

function scene() {
  const clock = new VirtualClock();
  const began = clock.now();
  const told: string[] = [];
  const speaking = new Speaking({
    clock,
    changed: ({ who, speaking }) =>
      told.push(`${clock.now() - began} ${who} ${speaking ? "speaks" : "is silent"}`),
    stalled: ({ since }) => told.push(`${clock.now() - began} stalled since ${since - began}`),
  });
  /** So many frames of 20 ms. */
  const frames = async (count: number, level: number, part: Partial<FrameFate> = {}) => {
    for (let frame = 0; frame < count; frame += 1) {
      await clock.advance(20);
      speaking.frame({
        direction: "sent",
        stream: 1,
        sequence: frame,
        fate: "sent",
        level,
        at: clock.now(),
        ...part,
      });
    }
  };
  return { clock, told, speaking, frames };
}

test("an end speaks while loud frames leave, over short pauses, until quiet lasts", async () => {
  const { told, frames, speaking } = scene();
  await frames(25, 70);
  await frames(25, 25);
  await frames(10, 70);
  expect(speaking.present).toEqual({ me: true, peer: false });
  await frames(25, 25);
  await frames(40, 70);
  expect(told).toEqual(["560 me speaks", "2100 me is silent"]);
});

test("frames that went nowhere are no speech, and neither are those that did not verify", async () => {
  const { told, frames } = scene();
  await frames(50, 20, { fate: "unsent" });
  await frames(50, 20, { direction: "heard", fate: "refused" });
  expect(told).toEqual([]);
});

test("when no frame comes any more nobody speaks", async () => {
  const { clock, told, frames } = scene();
  await frames(25, 25, { direction: "heard", fate: "verified" });
  await clock.advance(1_000);
  expect(told).toEqual(["60 peer speaks", "800 peer is silent"]);
});

test("what was written and does not leave within a second is told once", async () => {
  const { clock, told, speaking, frames } = scene();
  speaking.wrote();
  await clock.advance(500);
  speaking.wrote();
  await frames(1, 70);
  await clock.advance(2_000);
  expect(told).toEqual([]);
  speaking.wrote();
  await clock.advance(2_000);
  speaking.wrote();
  await clock.advance(2_000);
  expect(told).toEqual(["3520 stalled since 2520"]);
  speaking.finish();
});
