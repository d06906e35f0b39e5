import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UncoveredFrames } from "./uncovered-frames.ts";

describe("uncovered frames", () => {
  it("come out as an ordered map would give them, however many wait and whatever was dropped before", () => {
    const step = fc.oneof(
      { weight: 8, arbitrary: fc.record({ add: fc.integer({ min: 0, max: 400 }), of: fc.nat(255) }) },
      { weight: 2, arbitrary: fc.constant("drop" as const) },
      { weight: 1, arbitrary: fc.record({ below: fc.integer({ min: 0, max: 500 }) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 600, size: "max" }), (steps) => {
        const frames = new UncoveredFrames();
        const model = new Map<number, { of: number; at: number }>();
        for (const [at, each] of steps.entries()) {
          if (each === "drop") {
            frames.dropOldest();
            for (const first of [...model.keys()].slice(0, 1)) model.delete(first);
          } else if ("add" in each) {
            frames.add(each.add, digest(each.of), at);
            model.set(each.add, { of: each.of, at });
          } else {
            const taken: number[] = [];
            frames.takeBelow(each.below, (sequence, place) => {
              taken.push(sequence);
              const of = model.get(sequence)?.of ?? -1;
              expect(frames.isListed(place, digest(of))).toBe(true);
              expect(frames.isListed(place, digest(of + 1))).toBe(false);
            });
            expect(taken).toEqual([...model.keys()].filter((sequence) => sequence < each.below));
            for (const sequence of taken) model.delete(sequence);
          }
          expect(frames.size).toBe(model.size);
          expect(frames.oldestAt).toBe([...model.values()][0]?.at);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("have no digest of another length", () => {
    const frames = new UncoveredFrames();
    frames.add(7, digest(1), 0);
    frames.takeBelow(8, (_, place) => expect(frames.isListed(place, digest(1).subarray(1))).toBe(false));
  });
});

function digest(of: number): Uint8Array {
  return new Uint8Array(16).fill(of);
}
