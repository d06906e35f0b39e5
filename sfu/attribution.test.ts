import { beforeEach, describe, expect, it } from "vitest";
import type { Checkpoint } from "../codecs/checkpoint.ts";
import { Attribution, MAX_WAITING_FRAMES } from "./attribution.ts";
import type { CheckpointVerdict } from "./checkpoint-check.ts";

let attribution: Attribution;

beforeEach(() => {
  attribution = new Attribution();
});

/** Frames `from` to `to` verified and were played at `now`. */
function play(from: number, to: number, now: number): void {
  for (let sequence = from; sequence <= to; sequence += 1) {
    attribution.taken(sequence, "uncovered", 0);
    attribution.played(sequence, now);
  }
}

/** A checkpoint that held, over everything below `end` from `first` on. */
function covered(
  end: number,
  more: Partial<CheckpointVerdict> = {},
  final = false,
  first = 0,
): CheckpointVerdict {
  const digests = { length: end - first };
  const checkpoint = { firstSequence: first, digests, final } as unknown as Checkpoint;
  return { checkpoint, followsLost: false, matched: 0, unseen: 0, contradicted: [], ...more };
}

describe("what was played", () => {
  it("is overdue 2 s later, told once, and good again when a checkpoint covers it", () => {
    play(10, 12, 100);
    expect(attribution.poll(2_099)).toBeUndefined();
    expect(attribution.isBroken).toBe(false);
    expect(attribution.poll(2_100)).toEqual({ reason: "uncovered", first: 10, last: 12, count: 3 });
    expect([attribution.isBroken, attribution.unattributed]).toEqual([true, 3]);
    expect(attribution.poll(3_000)).toBeUndefined();
    attribution.covered(covered(12), 3_000);
    expect(attribution.isBroken, "12 is not covered").toBe(true);
    attribution.covered(covered(13), 3_100);
    expect(attribution.isBroken).toBe(false);
    play(13, 13, 4_000);
    expect(attribution.poll(6_000)).toMatchObject({ first: 13, count: 1 });
  });

  it("may wait six times longer than it was on its way itself, and 10 s at most: its checkpoint goes the same way, and may be lost there", () => {
    for (const [sequence, age] of [-50, 0, 100, 1_200, 2_000, 60_000].entries()) {
      attribution.taken(sequence, "uncovered", age);
      attribution.played(sequence, 0);
    }
    const overdue = (at: number) => {
      const told = attribution.poll(at);
      attribution.covered(covered((told?.last ?? -1) + 1), at);
      return told?.last;
    };
    const dueAt = [1_999, 2_000, 2_599, 2_600, 9_199, 9_200, 9_999, 10_000].map((at) => [at, overdue(at)]);
    expect(dueAt).toEqual([
      ...[
        [1_999, undefined],
        [2_000, 1],
        [2_599, undefined],
        [2_600, 2],
        [9_199, undefined],
        [9_200, 3],
      ],
      ...[
        [9_999, undefined],
        [10_000, 5],
      ],
    ]);
  });

  it("alone counts: what came and was not played may wait", () => {
    attribution.taken(10, "uncovered", 0);
    attribution.played(11, 0);
    expect(attribution.poll(60_000)).toBeUndefined();
  });

  it("that a checkpoint listed before it came is attributed at once", () => {
    attribution.taken(10, "matched", 0);
    attribution.played(10, 0);
    expect(attribution.poll(60_000)).toBeUndefined();
  });

  it("is covered by a final checkpoint, whatever that lists", () => {
    play(10, 12, 0);
    attribution.covered(covered(0, {}, true), 100);
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
    attribution.forget(2_000);
    expect(attribution.isBroken).toBe(false);
  });

  it("stays overdue where checkpoints had been listed so far ahead that theirs was let go: none can come any more", () => {
    attribution.taken(10, "forgotten", 0);
    attribution.played(10, 100);
    attribution.covered(covered(5_000), 1_000);
    expect(attribution.poll(2_099)).toBeUndefined();
    expect(attribution.poll(2_100)).toMatchObject({ reason: "uncovered", first: 10, count: 1 });
    attribution.covered(covered(5_060, {}, true), 3_000);
    attribution.forget(3_000);
    expect(attribution.isBroken).toBe(true);
    attribution.changeSpeaker();
    expect(attribution.isBroken, "another process speaks").toBe(false);
  });

  it("and passed over by the first checkpoint with a new key is in none: it stays overdue", () => {
    attribution.changeSpeaker();
    play(10, 12, 100);
    attribution.covered(covered(60, {}, false, 12), 1_000);
    expect(attribution.poll(2_100)).toEqual({ reason: "uncovered", first: 10, last: 11, count: 2 });
    attribution.covered(covered(120, {}, false, 60), 3_000);
    expect(attribution.isBroken).toBe(true);
  });

  it("and passed over by checkpoints that were lost on their way is let go", () => {
    play(10, 12, 100);
    attribution.covered(covered(60, { followsLost: true }, false, 12), 1_000);
    expect(attribution.poll(60_000)).toBeUndefined();
  });

  it("whose checkpoint may have been lost is not held against the stream when something of it is played later", () => {
    attribution.taken(10, "uncovered", 0);
    attribution.forget(0);
    attribution.played(10, 0);
    expect(attribution.poll(60_000)).toBeUndefined();
  });

  it("counts from when the first of it was played", () => {
    play(10, 10, 100);
    attribution.played(10, 1_000);
    expect(attribution.poll(2_100)).toMatchObject({ count: 1 });
  });

  it("is remembered before what only came, when there is no more room", () => {
    play(1, 1, 0);
    for (let sequence = 2; sequence < MAX_WAITING_FRAMES + 100; sequence += 1)
      attribution.taken(sequence, "uncovered", 0);
    expect(attribution.poll(2_000)).toMatchObject({ first: 1, count: 1 });
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
    attribution.taken(10, order === "before" ? "contradicted" : "uncovered", 0);
    if (order === "after") attribution.covered(covered(20, { contradicted: [10] }), 0);
    expect(attribution.poll(0)).toEqual({ reason: "contradicted", first: 10, last: 10, count: 1 });
    expect(attribution.poll(0)).toBeUndefined();
    attribution.covered(covered(30), 0);
    expect(attribution.isBroken).toBe(true);
  });

  it("is told as that alone, also where its checkpoint passes over it", () => {
    play(10, 10, 0);
    attribution.covered(covered(20, { contradicted: [10] }, false, 12), 100);
    expect(attribution.poll(100)).toMatchObject({ reason: "contradicted", count: 1 });
    expect(attribution.poll(60_000)).toBeUndefined();
  });

  it("of profile frame is signed: which one was sent is settled", () => {
    attribution.taken(11, "uncovered", 0);
    attribution.covered(covered(20, { contradicted: [10] }), 0);
    expect([attribution.poll(0), attribution.isBroken]).toEqual([undefined, false]);
  });

  it.each([
    ["whose checkpoint may have been lost with a connection", () => attribution.forget(0)],
    ["of a process that is gone", () => attribution.changeSpeaker()],
  ])("%s breaks it all the same", (_, happens) => {
    attribution.taken(10, "uncovered", 0);
    happens();
    attribution.covered(covered(20, { contradicted: [10, 11] }), 0);
    expect(attribution.poll(0)).toEqual({ reason: "contradicted", first: 10, last: 10, count: 1 });
    expect(attribution.isBroken).toBe(true);
  });
});
