import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Allowance } from "./allowance.ts";
import { endOfPiece } from "./evidence-reading.ts";
import { FadingMap } from "./fading-map.ts";

describe("a fading map", () => {
  test("forgets the oldest beyond its cap, and everything in time", () => {
    const map = new FadingMap<string, number>(2, 100);
    map.set("a", 1, 0);
    map.set("b", 2, 10);
    map.set("a", 3, 20);
    map.set("c", 4, 30);
    expect(["a", "b", "c"].map((key) => map.get(key, 40))).toEqual([3, undefined, 4]);
    expect(map.get("a", 120)).toBeUndefined();
    map.set("d", 5, 125);
    expect(map.size).toBe(2);
  });
});

describe("an allowance", () => {
  test("lets its burst go at once, then its rate", () => {
    const allowance = new Allowance({ perSecond: 10, burst: 3 }, 0);
    const taken = (now: number) => [1, 2, 3, 4].filter(() => allowance.take(now)).length;
    expect(taken(0)).toBe(3);
    expect(allowance.nextAt(0)).toBe(100);
    expect(taken(99)).toBe(0);
    expect(taken(200)).toBe(2);
    expect(taken(60_000)).toBe(3);
  });
});

describe("text in pieces", () => {
  test("is whole again when joined, and no piece is larger than asked", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.integer({ min: 4, max: 16 }), (text, size) => {
        const bytes = new TextEncoder().encode(text);
        const pieces: string[] = [];
        let start = 0;
        do {
          const end = endOfPiece(bytes, start, size);
          pieces.push(new TextDecoder().decode(bytes.subarray(start, end)));
          start = end;
        } while (start < bytes.length);
        expect(pieces.join("")).toBe(text);
        expect(pieces.length).toBeGreaterThan(0);
        for (const piece of pieces) expect(new TextEncoder().encode(piece).length).toBeLessThanOrEqual(size);
      }),
    );
  });
});
