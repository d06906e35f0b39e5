import { expect, it } from "vitest";
import { VideoAdaptation } from "./video-adaptation.ts";
import { VIDEO_FLOOR } from "./video-ladder.ts";

const options = { most: 2_000_000, maxHeight: 720, maxFrameRate: 30 };
const beside = { voice: 130_000, data: 50_000 };
const way = (bitsPerSecond: number, queueDelay = 0, behind?: number) => ({
  bitsPerSecond,
  queueDelay,
  behind,
  roundTrip: 40,
  lossShare: 0,
});

/** Observes the same every 50 ms; returns when the plan last changed. */
function observe(
  video: VideoAdaptation,
  estimate: ReturnType<typeof way>,
  from: number,
  duration: number,
): number | undefined {
  let changed: number | undefined;
  for (let now = from; now < from + duration; now += 50)
    if (video.observe(estimate, beside, now) !== undefined) changed = now;
  return changed;
}

/** One that has found out that there is room for everything. */
function atMost(): VideoAdaptation {
  const video = new VideoAdaptation(options);
  observe(video, way(4_000_000), -10_000, 9_000);
  return video;
}

it("begins with little, goes up at once where there is room, and stays there", () => {
  const video = new VideoAdaptation(options);
  expect(video.plan.bitsPerSecond).toBe(200_000);
  expect(observe(video, way(4_000_000), 0, 10_000)).toBe(1_250);
  expect(video.plan).toEqual({ bitsPerSecond: 2_000_000, maxHeight: 720, maxFrameRate: 30 });
});

it("has found out what the way takes when something is too much for the first time", () => {
  const video = new VideoAdaptation(options);
  expect(video.isStarting).toBe(true);
  video.observe(way(4_000_000), beside, 0);
  expect(video.isStarting).toBe(true);
  video.observe(way(300_000), beside, 50);
  expect(video.isStarting).toBe(false);
});

it("takes what voice and data leave, at once", () => {
  const video = atMost();
  expect(video.observe(way(300_000), beside, 0)).toEqual({
    bitsPerSecond: 80_000,
    maxHeight: 180,
    maxFrameRate: 15,
  });
});

it("goes by what hops behind take", () => {
  const video = atMost();
  expect(video.observe(way(4_000_000, 0, 800_000), beside, 0)?.bitsPerSecond).toBe(500_000);
});

it("sees a queue before the estimate falls", () => {
  const video = atMost();
  expect(video.observe(way(4_000_000, 120), beside, 0)?.bitsPerSecond).toBe(1_000_000);
  expect(video.observe(way(4_000_000, 120), beside, 100)).toBeUndefined();
  expect(video.observe(way(4_000_000, 120), beside, 1_050)?.bitsPerSecond).toBe(500_000);
});

it("sees that less comes out than goes in before any queue is reported", () => {
  const video = atMost();
  const usual = { ...way(4_000_000), standing: 16_000 };
  expect(video.observe(usual, beside, 0)).toBeUndefined();
  expect(video.observe({ ...usual, standing: 17_000 }, beside, 50)?.bitsPerSecond).toBe(1_000_000);
});

it("waits a moment where the lack is small", () => {
  const video = atMost();
  expect(observe(video, way(2_350_000), 0, 1_000)).toBe(150);
});

it("pauses where nothing is left for a while, and leaves the voice alone until then", () => {
  const video = atMost();
  const thin = way(90_000, 300);
  expect(video.voiceEstimate(thin, 130_000, 0)).toMatchObject({ bitsPerSecond: 130_000, queueDelay: 0 });
  expect(video.observe(thin, beside, 0)).toMatchObject({ bitsPerSecond: VIDEO_FLOOR });
  expect(observe(video, thin, 50, 3_000)).toBe(2_000);
  expect(video.plan.bitsPerSecond).toBe(0);
  expect(video.voiceEstimate(thin, 130_000, 2_100)).toMatchObject({ bitsPerSecond: 130_000 });
  expect(video.voiceEstimate(thin, 130_000, 5_100)).toBe(thin);
});

it("comes back from nothing with as much of the way as there is", () => {
  const video = atMost();
  observe(video, way(90_000), 0, 3_000);
  expect(video.plan.bitsPerSecond).toBe(0);
  observe(video, way(180_000), 3_000, 12_000);
  expect(video.plan.bitsPerSecond).toBe(VIDEO_FLOOR);
});

it("counts a silent voice for what it is where no more of the way is known than is offered", () => {
  const silent = { ...way(180_000), limited: true, voices: 5_000 };
  const video = atMost();
  observe(video, way(185_000), 0, 6_000);
  expect(video.plan.bitsPerSecond).toBe(VIDEO_FLOOR);
  observe(video, silent, 6_000, 20_000);
  expect(video.plan.bitsPerSecond).toBe(100_000);
  // Where the way is used the voice has what is agreed.
  video.observe({ ...silent, limited: false }, beside, 26_000);
  expect(video.plan.bitsPerSecond).toBe(VIDEO_FLOOR);
});

it("counts a silent voice for what it is while little was sent and nothing has waited, and one that speaks for what is agreed", () => {
  const begun = { ...way(400_000), beginning: true };
  const silent = { ...begun, voices: 0 };
  const spoken = { ...begun, voices: 60_000 };
  const rateWith = (estimate: typeof silent) => {
    const video = new VideoAdaptation({ most: 2_000_000, maxHeight: 720, maxFrameRate: 30 });
    observe(video, estimate, 0, 3_000);
    return video.plan.bitsPerSecond;
  };
  expect(rateWith(silent)).toBe(250_000);
  expect(rateWith(spoken)).toBe(rateWith(way(400_000) as typeof silent));
  expect(rateWith({ ...silent, queueDelay: 60 })).toBeLessThan(200_000);
});

it("keeps half of what the voice leaves from data that would take all of it", () => {
  const video = atMost();
  expect(video.observe(way(1_000_000), { voice: 100_000, data: 2_000_000 }, 0)?.bitsPerSecond).toBe(400_000);
});

it("comes back slowly, and more slowly where that was too early", () => {
  const video = atMost();
  video.observe(way(400_000), beside, 0);
  expect(video.plan.bitsPerSecond).toBe(160_000);
  observe(video, way(4_000_000), 50, 3_900);
  expect(video.plan.bitsPerSecond).toBe(160_000);
  observe(video, way(4_000_000), 3_950, 200);
  expect(video.plan.bitsPerSecond).toBe(200_000);
  observe(video, way(4_000_000), 4_150, 15_000);
  expect(video.plan.bitsPerSecond).toBe(2_000_000);
  video.observe(way(400_000), beside, 19_200);
  expect(video.plan.bitsPerSecond).toBe(160_000);
  observe(video, way(4_000_000), 19_250, 3_900);
  expect(video.plan.bitsPerSecond).toBe(160_000);
});

it("never pauses where no voice goes that would show when the way is open again", () => {
  const video = atMost();
  for (let now = 0; now < 10_000; now += 50) video.observe(way(32_000), { voice: 0, data: 0 }, now);
  expect(video.plan.bitsPerSecond).toBe(VIDEO_FLOOR);
});

it("spares the voice a queue that passes within a second while there are pictures, however few", () => {
  const video = atMost();
  observe(video, way(200_000), 0, 4_500);
  expect(video.plan.bitsPerSecond).toBe(VIDEO_FLOOR);
  const voice = (now: number) => {
    video.observe(way(60_000, 200), beside, now);
    return video.voiceEstimate(way(60_000, 200), beside.voice, now);
  };
  expect(voice(4_500)).toMatchObject({ bitsPerSecond: beside.voice, queueDelay: 0 });
  expect(voice(5_400)).toMatchObject({ bitsPerSecond: beside.voice });
  expect(voice(5_600)).toMatchObject({ bitsPerSecond: 60_000, queueDelay: 200 });
});
