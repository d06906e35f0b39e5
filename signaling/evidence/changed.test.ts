import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  inserted,
  joined,
  rawLines,
  rememberingVerifier,
  swapped,
  without,
} from "../../test/evidence-edit.ts";
import { ANCHORS, loggedCall } from "../../test/logged-call.ts";
import { verifyEvidence } from "./verify.ts";

const FILE = loggedCall({ checkpoints: 1, frames: 1 }).evidence;
const LINES = rawLines(FILE);
const OTHER = rawLines(loggedCall({ number: 2, checkpoints: 1, frames: 1 }).evidence);
/** Where each line ends. */
const ENDS = LINES.map((_, index) => joined(LINES.slice(0, index + 1)).length);
const verifier = rememberingVerifier();

/** Bytes between two that are flipped here; the long tests take every bit. */
const STRIDE = 97;

function faultsOf(file: Uint8Array) {
  const { verdict, faults } = verifyEvidence(file, ANCHORS, verifier).report;
  expect(verdict).toBe("invalid");
  for (const fault of faults) expect(fault.at).not.toBe("");
  return faults;
}

/** The numbers of the lines that the faults name. */
function namedLines(file: Uint8Array): number[] {
  return faultsOf(file).flatMap(({ at }) => {
    const line = /^line (\d+)/.exec(at)?.[1];
    return line === undefined ? [] : [Number(line)];
  });
}

/** Number of the line that holds byte `at`. */
function lineOf(at: number): number {
  return 1 + ENDS.findIndex((end) => end > at);
}

function flipped(at: number, mask: number): Uint8Array {
  const copy = FILE.slice();
  copy[at] = (copy[at] as number) ^ mask;
  return copy;
}

const anyLine = fc.nat({ max: LINES.length - 1 });
const RUNS = { numRuns: 80 };

describe("a file with one byte changed", () => {
  it("is invalid wherever it was changed, and the line is named", () => {
    for (let at = 0; at < FILE.length; at += STRIDE) {
      expect(namedLines(flipped(at, 1 << (at % 8))), `byte ${at}`).toContain(lineOf(at));
    }
  });

  it("is invalid whatever it was changed to", () => {
    fc.assert(
      fc.property(fc.nat({ max: FILE.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        expect(namedLines(flipped(at, mask))).toContain(lineOf(at));
      }),
      RUNS,
    );
  });

  it("is invalid at the first and last byte of every line", () => {
    let start = 0;
    for (const [index, line] of LINES.entries()) {
      for (const at of [start, start + line.length - 1]) {
        expect(namedLines(flipped(at, 0x20)), `byte ${at}`).toContain(index + 1);
      }
      start += line.length;
    }
  });

  it("is invalid with a byte cut out, put in, or the end cut off", () => {
    fc.assert(
      fc.property(fc.nat({ max: FILE.length - 1 }), fc.nat({ max: 255 }), (at, byte) => {
        expect(namedLines(joined([FILE.slice(0, at), FILE.slice(at + 1)]))).toContain(lineOf(at));
        expect(namedLines(joined([FILE.slice(0, at), Uint8Array.of(byte), FILE.slice(at)]))).not.toEqual([]);
        faultsOf(FILE.slice(0, at));
      }),
      RUNS,
    );
  });
});

describe("a file with a line changed as a whole", () => {
  it("is invalid without any one of its lines, and the place is named", () => {
    for (const at of LINES.keys()) {
      expect(namedLines(joined(without(LINES, at))), `line ${at + 1}`).toContain(
        Math.min(at + 1, LINES.length - 1),
      );
    }
  });

  it("is invalid with any line twice, there or elsewhere", () => {
    fc.assert(
      fc.property(anyLine, fc.nat({ max: LINES.length }), (from, to) => {
        expect(namedLines(joined(inserted(LINES, to, LINES[from] as Uint8Array)))).not.toEqual([]);
      }),
      RUNS,
    );
  });

  it("is invalid with any two lines swapped", () => {
    fc.assert(
      fc.property(anyLine, anyLine, (a, b) => {
        fc.pre(a !== b);
        const named = namedLines(joined(swapped(LINES, a, b)));
        expect(named.includes(a + 1) || named.includes(b + 1)).toBe(true);
      }),
      RUNS,
    );
  });

  it("is invalid with any line moved", () => {
    fc.assert(
      fc.property(anyLine, anyLine, (from, to) => {
        fc.pre(from !== to);
        const moved = inserted(without(LINES, from), to, LINES[from] as Uint8Array);
        const named = namedLines(joined(moved));
        expect(named.includes(from + 1) || named.includes(to + 1)).toBe(true);
      }),
      RUNS,
    );
  });

  it("is invalid with any line added from, or replaced by, another call's", () => {
    for (const [at, line] of LINES.entries()) {
      const foreign = OTHER[at] as Uint8Array;
      expect(namedLines(joined(inserted(LINES, at, foreign)))).not.toEqual([]);
      const differs = Buffer.compare(line, foreign) !== 0;
      if (differs) expect(namedLines(joined(inserted(without(LINES, at), at, foreign)))).toContain(at + 1);
    }
  });
});
