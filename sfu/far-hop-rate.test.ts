import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FarHopRate, mostIncoming } from "./far-hop-rate.ts";

const VOICE = { bitrate: 8_000, frameMs: 20 };
/** The same at its least with signatures and headers: 166 bytes around each of 50 frames a second. */
const LEAST = 8_000 + 50 * 166 * 8;

describe("what is told of a WebRTC hop", () => {
  it("is the first estimate at once, what signs the voice's frames added, and less again at the next second", () => {
    const hop = new FarHopRate(VOICE);
    expect(hop.limit).toBeUndefined();
    expect(hop.nextTimeout()).toBeUndefined();
    expect(hop.observe(1_000_000, 0)).toBe(950_000 + 50 * 74 * 8);
    expect(hop.observe(500_000, 400)).toBeUndefined();
    expect(hop.nextTimeout()).toBe(1_000);
    expect(hop.poll(999)).toBeUndefined();
    expect(hop.poll(1_000)).toBe(475_000 + 50 * 74 * 8);
    expect(hop.limit).toBe(475_000 + 50 * 74 * 8);
  });

  it("is more only after there was room for it for two seconds, and no more than the least of them", () => {
    const hop = new FarHopRate();
    hop.observe(400_000, 0);
    expect(hop.observe(1_000_000, 3_000)).toBeUndefined();
    expect(hop.observe(600_000, 4_000)).toBeUndefined();
    expect(hop.nextTimeout()).toBe(5_000);
    expect(hop.observe(2_000_000, 5_000)).toBe(570_000);
    // Room that is gone in between begins anew.
    hop.observe(1_000_000, 5_500);
    hop.observe(600_000, 6_500);
    hop.observe(1_000_000, 7_000);
    expect(hop.nextTimeout()).toBe(9_000);
  });

  it("leaves the voice what it takes at its least, whatever the estimate", () => {
    const hop = new FarHopRate(VOICE);
    expect(hop.observe(10_000, 0)).toBe(LEAST);
    expect(hop.observe(0, 2_000)).toBeUndefined();
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
          note(hop.observe(rate, now));
        }
        const { rate } = some.at(-1) as { rate: number };
        for (let step = 0; step < 60; step += 1) {
          now += 100;
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
  it("is what was agreed, with what is around it and a little more", () => {
    expect(mostIncoming({ voices: [{ bitrate: 32_000, frameMs: 20 }], videos: [] })).toBe(
      Math.round((32_000 + 50 * 32 * 8) * 1.15),
    );
    expect(
      mostIncoming({ voices: [{ bitrate: 32_000, frameMs: 20 }], videos: [1_000_000, 200_000] }),
    ).toBeGreaterThan(1_350_000);
    expect(mostIncoming({ voices: [], videos: [] })).toBe(30_000);
  });
});
