import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DATAGRAM_WINDOW, ReplayWindow, STREAM_WINDOW } from "./replay-window.ts";

/** What the window must do, written with a set that forgets nothing. */
class Model {
  readonly seen = new Set<number>();
  highest = -1;

  test(sequence: number, size: number): string {
    if (sequence > this.highest) return "new";
    if (sequence <= this.highest - size) return "behind";
    return this.seen.has(sequence) ? "replayed" : "new";
  }

  commit(sequence: number): void {
    this.seen.add(sequence);
    this.highest = Math.max(this.highest, sequence);
  }
}

const START = fc.oneof(
  fc.constantFrom(0, 1, 0xffff - 3, 0x1_0000, 0x7fff_ffff - 2, 0xffff_ffff - 5, 2 ** 40, 2 ** 48 - 5000),
  fc.integer({ min: 0, max: 2 ** 48 - 5000 }),
);

describe("the replay window", () => {
  it("agrees with a set of everything seen, for any order, jump and size", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(32, 64, STREAM_WINDOW, DATAGRAM_WINDOW),
        START,
        fc.array(
          fc.tuple(
            fc.oneof(
              { weight: 8, arbitrary: fc.integer({ min: -40, max: 40 }) },
              { weight: 2, arbitrary: fc.integer({ min: -1500, max: 1500 }) },
            ),
            fc.boolean(),
          ),
          { maxLength: 200 },
        ),
        (size, start, moves) => {
          const window = new ReplayWindow(size);
          const model = new Model();
          let at = start;
          for (const [move, authentic] of moves) {
            at = Math.min(Math.max(0, at + move), 2 ** 48 - 1);
            expect(window.test(at)).toBe(model.test(at, size));
            if (!authentic || window.test(at) !== "new") continue;
            window.commit(at);
            model.commit(at);
            expect(window.test(at)).toBe("replayed");
            expect(window.highest).toBe(model.highest);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it("takes every frame once across a wrap of the low 16 bits, and none a second time", () => {
    const window = new ReplayWindow();
    for (let sequence = 0xff80; sequence < 0x1_0100; sequence++) {
      expect(window.test(sequence)).toBe("new");
      window.commit(sequence);
    }
    for (let sequence = 0xff80; sequence < 0x1_0100; sequence++)
      expect(window.test(sequence)).toBe("replayed");
    expect(window.test(0x1_0100 + 0x1_0000)).toBe("new");
  });

  it("does not move on a test alone", () => {
    const window = new ReplayWindow();
    window.commit(10);
    expect(window.test(2 ** 47)).toBe("new");
    expect(window.test(9)).toBe("new");
    expect(window.highest).toBe(10);
  });

  it("says behind exactly from its size on", () => {
    const window = new ReplayWindow();
    window.commit(5000);
    expect(window.test(5000 - DATAGRAM_WINDOW + 1)).toBe("new");
    expect(window.test(5000 - DATAGRAM_WINDOW)).toBe("behind");
    expect(window.test(5000 - STREAM_WINDOW + 1, STREAM_WINDOW)).toBe("new");
    expect(window.test(5000 - STREAM_WINDOW, STREAM_WINDOW)).toBe("behind");
  });

  it("forgets nothing inside the window after a jump of exactly its size less one", () => {
    const window = new ReplayWindow(32);
    window.commit(100);
    window.commit(131);
    expect(window.test(100)).toBe("replayed");
    window.commit(132);
    expect(window.test(100)).toBe("behind");
    expect(window.test(101)).toBe("new");
  });

  it.each([0, 16, 33, 1000])("refuses %i as a size", (size) => {
    expect(() => new ReplayWindow(size)).toThrow(RangeError);
  });
});
