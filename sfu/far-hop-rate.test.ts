import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FarHopRate, mostIncoming } from "./far-hop-rate.ts";

const VOICE = { bitrate: 8_000, frameMs: 20 };
/** The same at its least with signatures and headers: 166 bytes around each of 50 frames a second. */
const LEAST = 8_000 + 50 * 166 * 8;

/** So many bits a second went over it during the second before `now`. */
function offer(hop: FarHopRate, bitsPerSecond: number, now: number): void {
  for (let at = now - 1_000; at < now; at += 50) hop.sent("video", bitsPerSecond / 160, at);
}

describe("what is told of a WebRTC hop", () => {
  it("is the first estimate at once, what signs the voice's frames added, and less again at the next second", () => {
    const hop = new FarHopRate(VOICE);
    expect(hop.limit).toBeUndefined();
    expect(hop.nextTimeout()).toBeUndefined();
    expect(hop.observe(1_000_000, 0)).toBe(950_000 + 50 * 74 * 8);
    offer(hop, 500_000, 400);
    expect(hop.observe(500_000, 400)).toBeUndefined();
    expect(hop.nextTimeout()).toBe(1_000);
    expect(hop.poll(999)).toBeUndefined();
    expect(hop.poll(1_000)).toBe(475_000 + 50 * 74 * 8);
    expect(hop.limit).toBe(475_000 + 50 * 74 * 8);
  });

  it("is more only after there was room for it for two seconds, and no more than the least of them", () => {
    const hop = new FarHopRate();
    hop.observe(400_000, 0);
    offer(hop, 1_000_000, 3_000);
    expect(hop.observe(1_000_000, 3_000)).toBeUndefined();
    expect(hop.observe(600_000, 4_000)).toBeUndefined();
    expect(hop.nextTimeout()).toBe(5_000);
    expect(hop.observe(2_000_000, 5_000)).toBe(570_000);
    // Room that is gone in between begins anew.
    hop.observe(1_000_000, 5_500);
    offer(hop, 500_000, 6_500);
    hop.observe(600_000, 6_500);
    hop.observe(1_000_000, 7_000);
    expect(hop.nextTimeout()).toBe(9_000);
  });

  it("leaves the voice what it takes at its least, whatever the estimate", () => {
    const hop = new FarHopRate(VOICE);
    expect(hop.observe(10_000, 0)).toBe(LEAST);
    expect(hop.observe(0, 2_000)).toBeUndefined();
  });

  it("is no less where an estimate only follows how little is sent, and grows until it is known what the way takes", () => {
    const hop = new FarHopRate();
    hop.observe(400_000, 0);
    offer(hop, 100_000, 3_000);
    // Half as much again as is sent: the most that congestion control says of it.
    expect(hop.observe(150_000, 3_000)).toBeUndefined();
    expect(hop.nextTimeout()).toBe(8_000);
    expect(hop.poll(8_000)).toBe(570_000);
    offer(hop, 100_000, 9_000);
    expect(hop.observe(150_000, 9_000)).toBeUndefined();
    expect(hop.nextTimeout()).toBe(13_000);
    // More is sent, and does not get through.
    offer(hop, 300_000, 10_000);
    expect(hop.observe(280_000, 10_000)).toBe(266_000);
    offer(hop, 240_000, 12_000);
    expect(hop.observe(270_000, 12_000)).toBeUndefined();
    expect(hop.nextTimeout()).toBeUndefined();
  });

  it("does not grow while more is sent than an estimate was made for", () => {
    const hop = new FarHopRate();
    hop.observe(400_000, 0);
    offer(hop, 100_000, 3_000);
    hop.observe(150_000, 3_000);
    offer(hop, 3_000_000, 8_000);
    expect(hop.poll(8_000)).toBeUndefined();
    expect(hop.limit).toBe(380_000);
    expect(hop.nextTimeout()).toBeUndefined();
    // The next one begins anew.
    offer(hop, 100_000, 10_000);
    hop.observe(150_000, 10_000);
    expect(hop.nextTimeout()).toBe(15_000);
  });

  it("grows to some times the estimate and no further, however long little is sent", () => {
    const hop = new FarHopRate();
    hop.observe(300_000, 0);
    let now = 0;
    for (let step = 0; step < 100; step += 1) {
      now += 5_000;
      offer(hop, 100_000, now);
      hop.observe(150_000, now);
    }
    expect(hop.limit).toBeGreaterThanOrEqual(600_000);
    expect(hop.limit).toBeLessThan(900_000);
  });

  it("goes by the pictures where there are any, and by the voice where there are none", () => {
    const hop = new FarHopRate();
    const say = (now: number) => {
      for (let at = now - 1_000; at < now; at += 20) hop.sent("audio", 160, at);
    };
    hop.observe(2_000_000, 0);
    // 64 kbit/s of a voice beside 800 of pictures: the estimate is 1.35 times these.
    for (let at = 1_000; at < 2_000; at += 50) hop.sent("video", 5_000, at);
    say(2_000);
    expect(hop.observe(1_080_000, 2_000)).toBeUndefined();
    say(4_000);
    expect(hop.observe(70_000, 4_000)).toBe(66_500);
  });

  it("is never told twice in a second, nor for less than a sixth, and follows what stays", () => {
    const estimates = fc.array(
      fc.record({
        after: fc.integer({ min: 1, max: 700 }),
        rate: fc.integer({ min: 20_000, max: 5_000_000 }),
      }),
      { minLength: 1, maxLength: 80 },
    );
    fc.assert(
      fc.property(estimates, (some) => {
        const hop = new FarHopRate(VOICE);
        const told: { readonly at: number; readonly limit: number }[] = [];
        let now = 0;
        const note = (limit: number | undefined) => limit !== undefined && told.push({ at: now, limit });
        for (const { after, rate } of some) {
          now += after;
          offer(hop, rate, now);
          note(hop.observe(rate, now));
        }
        const { rate } = some.at(-1) as { rate: number };
        for (let step = 0; step < 60; step += 1) {
          now += 100;
          offer(hop, rate, now);
          note(hop.observe(rate, now));
        }
        told.forEach(({ at, limit }, index) => {
          const before = told[index - 1];
          expect(limit).toBeGreaterThanOrEqual(LEAST);
          if (before === undefined) return;
          expect(at - before.at).toBeGreaterThanOrEqual(1_000);
          expect(Math.abs(limit - before.limit)).toBeGreaterThanOrEqual(before.limit * 0.15 - 2);
        });
        const wanted = Math.max(LEAST, rate * 0.95 + 50 * 74 * 8);
        expect(Math.abs((hop.limit as number) - wanted)).toBeLessThanOrEqual(
          (hop.limit as number) * 0.15 + 1,
        );
      }),
    );
  });
});

describe("what a WebRTC peer is to send at most", () => {
  it("is what was agreed, with what is around the voice and a little more of it, and no more of pictures", () => {
    expect(mostIncoming({ voices: [{ bitrate: 32_000, frameMs: 20 }], videos: [] })).toBe(
      Math.round((32_000 + 50 * 32 * 8) * 1.15),
    );
    expect(mostIncoming({ voices: [{ bitrate: 32_000, frameMs: 20 }], videos: [1_000_000, 200_000] })).toBe(
      Math.round((32_000 + 50 * 32 * 8) * 1.15) + 1_200_000,
    );
    expect(mostIncoming({ voices: [], videos: [] })).toBe(30_000);
  });
});
