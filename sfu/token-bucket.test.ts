import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FrameRate, TokenBucket } from "./token-bucket.ts";

describe("a token bucket", () => {
  it("never grants more than its capacity and what time has earned", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.integer({ min: 0, max: 100 }), { maxLength: 300 }),
        (perSecond, capacity, gaps) => {
          const bucket = new TokenBucket(perSecond, capacity, 0);
          let now = 0;
          let taken = 0;
          for (const gap of gaps) {
            now += gap;
            if (bucket.has(1, now)) {
              bucket.take(1);
              taken++;
            }
            expect(taken).toBeLessThanOrEqual(capacity + (now * perSecond) / 1000 + 1e-3);
          }
        },
      ),
    );
  });

  it("has what it promises at the time it names", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.1, max: 1000, noNaN: true }),
        fc.double({ min: 0, max: 1e9, noNaN: true }),
        (perSecond, start) => {
          const bucket = new TokenBucket(perSecond, 1, start);
          bucket.take(1);
          const at = bucket.availableAt(1);
          expect(at).toBeGreaterThan(start);
          expect(bucket.has(1, at)).toBe(true);
        },
      ),
    );
  });

  it("says Infinity for what it can never hold", () => {
    expect(new TokenBucket(10, 5, 0).availableAt(6)).toBe(Number.POSITIVE_INFINITY);
    const dry = new TokenBucket(0, 1, 0);
    dry.take(1);
    expect(dry.availableAt(1)).toBe(Number.POSITIVE_INFINITY);
  });

  it("earns nothing from a clock that goes back", () => {
    const bucket = new TokenBucket(1000, 1, 1000);
    bucket.take(1);
    expect(bucket.has(1, 0)).toBe(false);
    expect(bucket.has(1, 1000.5)).toBe(false);
    expect(bucket.has(1, 1001)).toBe(true);
  });
});

describe("a frame rate", () => {
  it("takes neither frame nor bytes when one of the two is exhausted", () => {
    const rate = new FrameRate({ framesPerSecond: 10, bytesPerSecond: 1000, burst: 1 }, 0);
    expect(rate.take(900, 0)).toBe(true);
    // Nine frames are left, 100 bytes: refused tries must not eat the frames.
    for (let tries = 0; tries < 20; tries++) expect(rate.take(200, 0)).toBe(false);
    for (let frames = 0; frames < 9; frames++) expect(rate.take(10, 0)).toBe(true);
    expect(rate.take(10, 0)).toBe(false);
    expect(rate.take(10, 100)).toBe(true);
  });
});
