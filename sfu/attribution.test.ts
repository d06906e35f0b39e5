import { beforeEach, describe, expect, it } from "vitest";
import type { Checkpoint } from "../codecs/checkpoint.ts";
import { Attribution } from "./attribution.ts";
import type { CheckpointVerdict } from "./checkpoint-check.ts";

let attribution: Attribution;

beforeEach(() => {
  attribution = new Attribution();
});

/** Frames `from` to `to` verified and were played at `now`. */
function play(from: number, to: number, now: number): void {
  for (let sequence = from; sequence <= to; sequence += 1) {
    attribution.taken(sequence, "uncovered");
    attribution.played(sequence, now);
  }
}

/** A checkpoint that held, over everything below `end`. */
function covered(end: number, more: Partial<CheckpointVerdict> = {}, final = false): CheckpointVerdict {
  const checkpoint = { firstSequence: end, digests: [], final } as unknown as Checkpoint;
  return { checkpoint, matched: 0, unseen: 0, contradicted: [], ...more };
}

describe("what was played", () => {
  it("is overdue 2 s later, told once, and good again when a checkpoint covers it", () => {
    play(10, 12, 100);
    expect(attribution.poll(2_099)).toBeUndefined();
    expect(attribution.isBroken).toBe(false);
    expect(attribution.poll(2_100)).toEqual({ reason: "uncovered", first: 10, last: 12, count: 3 });
    expect([attribution.isBroken, attribution.unattributed]).toEqual([true, 3]);
    expect(attribution.poll(3_000)).toBeUndefined();
    attribution.covered(covered(12), "chain", 3_000);
    expect(attribution.isBroken, "12 is not covered").toBe(true);
    attribution.covered(covered(13), "chain", 3_100);
    expect(attribution.isBroken).toBe(false);
    play(13, 13, 4_000);
    expect(attribution.poll(6_000)).toMatchObject({ first: 13, count: 1 });
  });

  it("alone counts: what came and was not played may wait", () => {
    attribution.taken(10, "uncovered");
    attribution.played(11, 0);
    expect(attribution.poll(60_000)).toBeUndefined();
  });

  it("that a checkpoint listed before it came is attributed at once", () => {
    attribution.taken(10, "matched");
    attribution.played(10, 0);
    expect(attribution.poll(60_000)).toBeUndefined();
  });

  it("is covered by a final checkpoint, whatever that lists", () => {
    play(10, 12, 0);
    attribution.covered(covered(0, {}, true), "chain", 100);
    expect(attribution.poll(60_000)).toBeUndefined();
  });

  it("does not grow overdue while nothing can come", () => {
    play(10, 10, 0);
    attribution.pause(500);
    attribution.pause(900);
    expect(attribution.poll(60_000)).toBeUndefined();
    attribution.resume(60_500);
    expect(attribution.poll(61_999)).toBeUndefined();
    expect(attribution.poll(62_000)).toMatchObject({ count: 1 });
  });

  it("is let go with the connection that its checkpoint may have been lost with", () => {
    play(10, 10, 0);
    attribution.poll(2_000);
    attribution.forget();
    expect(attribution.isBroken).toBe(false);
  });

  it("of a process that is gone stays unattributed, is told, and does not stop the next one", () => {
    play(10, 11, 0);
    expect(attribution.changeSpeaker()).toEqual({ reason: "uncovered", first: 10, last: 11, count: 2 });
    expect(attribution.isBroken).toBe(false);
    expect(attribution.changeSpeaker()).toBeUndefined();
  });
});

describe("a contradicted frame", () => {
  it.each(["before", "after"])("breaks the stream for good, its checkpoint having come %s it", (order) => {
    if (order === "before") attribution.taken(10, "contradicted");
    else attribution.covered(covered(20, { contradicted: [10] }), "chain", 0);
    expect(attribution.poll(0)).toEqual({ reason: "contradicted", first: 10, last: 10, count: 1 });
    expect(attribution.poll(0)).toBeUndefined();
    attribution.covered(covered(30), "chain", 0);
    expect(attribution.isBroken).toBe(true);
  });

  it("of profile frame is signed: which one was sent is settled", () => {
    attribution.covered(covered(20, { contradicted: [10] }), "frame", 0);
    expect([attribution.poll(0), attribution.isBroken]).toEqual([undefined, false]);
  });
});
