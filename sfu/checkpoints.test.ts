import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeCheckpoint, parseCheckpoint } from "../codecs/checkpoint.ts";
import { ntpToUnixMs } from "../codecs/ntp.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { seedSigner, strictVerifier } from "../test/keys.ts";
import { WALL } from "../test/relay-scene.ts";
import { CheckpointCheck, type CheckpointCheckOptions, MAX_UNSETTLED_FRAMES } from "./checkpoint-check.ts";
import { CHECKPOINT_INTERVAL, Checkpointer, type CheckpointerOptions } from "./checkpointer.ts";

const signer = seedSigner(31);
const START = 0x1_fffe;
const stream = { sessionDigest: new Uint8Array(32).fill(0xdd), leg: 0, stream: 3 };

function checkpointer(more: Partial<CheckpointerOptions> = {}): Checkpointer {
  return new Checkpointer({ ...stream, keyGeneration: 1, signer, startSequence: START, ...more });
}

function check(more: Partial<CheckpointCheckOptions> = {}): CheckpointCheck {
  return new CheckpointCheck({
    ...stream,
    keys: new Map([[1, signer.publicKey]]),
    verifier: strictVerifier,
    ...more,
  });
}

/** A digest that no other sequence number has. */
function digest(sequence: number, salt = 0): Uint8Array {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setFloat64(0, sequence);
  bytes[15] = salt;
  return bytes;
}

/** Feeds `count` frames, 20 ms apart, and returns the checkpoints that fell due and the final one. */
function speak(maker: Checkpointer, count: number): Uint8Array[] {
  const made: (Uint8Array | undefined)[] = [];
  for (let index = 0; index < count; index++) {
    const now = index * 20;
    made.push(maker.poll(now));
    made.push(maker.add(START + index, WALL + now, digest(START + index), now));
  }
  made.push(maker.finish());
  return made.filter((bytes) => bytes !== undefined);
}

function value(bytes: Uint8Array) {
  const parsed = parseCheckpoint(bytes);
  if (!parsed.ok) throw new ParleyError(parsed.fault);
  return parsed.value;
}

function fault(result: { ok: true } | { ok: false; fault: { code: string; at?: string } }): string {
  return result.ok ? "accepted" : `${result.fault.code} ${result.fault.at ?? ""}`.trim();
}

describe("the checkpointer", () => {
  it("lists every frame once, contiguously, chained, with a running total", () => {
    const made = speak(checkpointer(), 1203);
    expect(made.map((bytes) => value(bytes).digests.length)).toEqual([500, 500, 203]);
    expect(made.map((bytes) => value(bytes).firstSequence)).toEqual([START, START + 500, START + 1000]);
    expect(made.map((bytes) => value(bytes).totalFrames)).toEqual([500, 1000, 1203]);
    expect(made.map((bytes) => value(bytes).final)).toEqual([false, false, true]);
    const last = value(made[2] ?? new Uint8Array(0));
    expect(ntpToUnixMs(last.firstCapture.seconds, last.firstCapture.fraction)).toBeCloseTo(WALL + 20_000, 3);
    expect(ntpToUnixMs(last.lastCapture.seconds, last.lastCapture.fraction)).toBeCloseTo(WALL + 24_040, 3);
  });

  it("makes small ones while the way is thin, and those of what waited before by and by", () => {
    const maker = checkpointer();
    const made: { readonly after: number; readonly bytes: Uint8Array }[] = [];
    for (let count = 1; count <= 900; count += 1) {
      if (count === 301) maker.keepSmall(true);
      if (count === 701) maker.keepSmall(false);
      const bytes = maker.add(START + count - 1, WALL + count * 20, digest(START + count - 1), count * 20);
      if (bytes !== undefined) made.push({ after: count, bytes });
    }
    made.push({ after: 900, bytes: maker.finish() });
    const listed = made.map(({ bytes }) => value(bytes).digests.length);
    expect(listed.slice(0, -1).every((count) => count === 50)).toBe(true);
    expect(listed.reduce((sum, count) => sum + count)).toBe(900);
    expect(Math.max(...made.slice(0, -1).map(({ bytes }) => bytes.length))).toBeLessThan(1_000);
    // 300 waited: twice as many as come go until none do, and one each 50 frames then.
    const times = made.map(({ after }) => after);
    expect(times.slice(0, 3)).toEqual([325, 350, 375]);
    expect(times.slice(-5, -1)).toEqual([575, 600, 650, 700]);
    const checker = check();
    for (const { bytes } of made) expect(checker.check(bytes)).toMatchObject({ ok: true });
    for (const { bytes } of made) {
      const { firstSequence, digests, firstCapture, lastCapture } = value(bytes);
      const of = ({ seconds, fraction }: typeof firstCapture) => ntpToUnixMs(seconds, fraction);
      expect(of(firstCapture)).toBeCloseTo(WALL + (firstSequence - START + 1) * 20, 3);
      expect(of(lastCapture)).toBeCloseTo(WALL + (firstSequence - START + digests.length) * 20, 3);
    }
  });

  it("lets nothing that waited when the way became thin wait for ever, though nothing follows it", () => {
    const maker = checkpointer();
    for (let index = 0; index < 120; index += 1) maker.add(START + index, WALL, digest(index), index * 20);
    maker.keepSmall(true);
    const made: [number, number][] = [];
    for (let now = 2_500; now < 20_000; now += 250) {
      const bytes = maker.poll(now);
      if (bytes !== undefined) made.push([now, value(bytes).digests.length]);
    }
    expect(made).toEqual([
      [10_000, 50],
      [11_000, 50],
      [12_000, 20],
    ]);
  });

  it("does not let a frame wait longer than its interval", () => {
    const maker = checkpointer();
    expect(maker.nextTimeout()).toBeUndefined();
    expect(maker.add(START, WALL, digest(START), 700)).toBeUndefined();
    expect(maker.nextTimeout()).toBe(700 + CHECKPOINT_INTERVAL.frame);
    expect(maker.poll(699 + CHECKPOINT_INTERVAL.frame)).toBeUndefined();
    expect(value(maker.poll(700 + CHECKPOINT_INTERVAL.frame) ?? new Uint8Array(0)).digests).toHaveLength(1);
    expect(maker.poll(1e9)).toBeUndefined();
  });

  it("ends a stream that never spoke, and one that has just been covered, with an empty final one", () => {
    expect(value(checkpointer().finish())).toMatchObject({
      firstSequence: START,
      final: true,
      totalFrames: 0,
    });
    const made = speak(checkpointer(), 500);
    expect(made).toHaveLength(2);
    expect(value(made[1] ?? new Uint8Array(0))).toMatchObject({
      firstSequence: START + 500,
      digests: [],
      totalFrames: 500,
    });
  });

  it("refuses gaps, and everything after its end", () => {
    const maker = checkpointer();
    expect(() => maker.add(START + 1, WALL, digest(1), 0)).toThrow(ParleyError);
    maker.finish();
    expect(() => maker.add(START, WALL, digest(START), 0)).toThrow("final");
    expect(() => maker.finish()).toThrow("final");
  });
});

describe("the checkpoint check", () => {
  it("settles every frame, whether it came before its checkpoint, after it or never", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1300 }),
        fc.array(fc.constantFrom("before", "after", "never"), { minLength: 7, maxLength: 31 }),
        (count, fates) => {
          const checker = check();
          const fate = (index: number): string => fates[index % fates.length] ?? "never";
          let next = 0;
          let afterwards: number[] = [];
          for (const bytes of speak(checkpointer(), count)) {
            const listed = value(bytes).digests.length;
            for (const end = next + listed; next < end; next++) {
              if (fate(next) === "before") {
                expect(checker.note(START + next, digest(START + next), next)).toBe("uncovered");
              }
              if (fate(next) === "after") afterwards.push(START + next);
            }
            const result = checker.check(bytes);
            expect(result).toMatchObject({ ok: true, value: { contradicted: [] } });
            if (result.ok) expect(result.value.matched + result.value.unseen).toBe(listed);
            for (const sequence of afterwards) {
              expect(checker.note(sequence, digest(sequence), next)).toBe("matched");
            }
            afterwards = [];
          }
          const never = Array.from({ length: count }, (_, index) => fate(index)).filter(
            (f) => f === "never",
          ).length;
          expect(checker.counters()).toEqual({
            matched: count - never,
            contradicted: 0,
            uncovered: 0,
            unseen: never,
            forgotten: 0,
          });
          expect(checker.final).toBe(true);
          expect(checker.uncoveredSince).toBeUndefined();
        },
      ),
      { numRuns: 15 },
    );
  });

  it("names frames that the speaker lists otherwise, passes over, or denies", () => {
    const checker = check();
    const [bytes = new Uint8Array(0)] = speak(checkpointer(), 5);
    checker.note(START - 1, digest(START - 1), 0);
    checker.note(START + 1, digest(START + 1), 0);
    checker.note(START + 2, digest(START + 2, 9), 0);
    checker.note(START + 5, digest(START + 5), 0);
    const result = checker.check(bytes);
    expect(result).toMatchObject({
      ok: true,
      value: { matched: 1, unseen: 3, contradicted: [START - 1, START + 2, START + 5] },
    });
    expect(checker.note(START + 3, digest(START + 3, 9), 0)).toBe("contradicted");
    expect(checker.note(START + 4, digest(START + 4), 0)).toBe("matched");
    expect(checker.note(START + 6, digest(START + 6), 0)).toBe("contradicted");
  });

  it("says when it let go of what was listed so far ahead, and still finds what was listed otherwise behind that", () => {
    const checker = check();
    for (const bytes of speak(checkpointer(), MAX_UNSETTLED_FRAMES + 10)) checker.check(bytes);
    expect(checker.note(START + 9, digest(START + 9, 9), 0)).toBe("forgotten");
    expect(checker.note(START + 10, digest(START + 10), 0)).toBe("matched");
    expect(checker.note(START + 11, digest(START + 11, 9), 0)).toBe("contradicted");
  });

  it("refuses to list a second time what was listed before, after a loss on the way and with a new key alike", () => {
    const [first = new Uint8Array(0), second = new Uint8Array(0)] = speak(checkpointer(), 1_000);
    const later = seedSigner(32);
    const good = value(second);
    const says = (more: Partial<typeof good>, by = signer): string => {
      const checker = check();
      checker.check(first);
      if (more.keyGeneration === undefined) checker.resume();
      else checker.takeKey(more.keyGeneration, later.publicKey);
      return fault(checker.check(encodeCheckpoint({ ...good, ...more }, by)));
    };
    const skipped = { index: 7, previous: new Uint8Array(32).fill(7) };
    expect(says({ ...skipped, firstSequence: START + 500 })).toBe("accepted");
    expect(says({ ...skipped, firstSequence: START + 499 })).toBe("checkpoint-broken firstSequence");
    const taken = { keyGeneration: good.keyGeneration + 1, totalFrames: good.digests.length };
    expect(says({ ...taken, firstSequence: START + 500 }, later)).toBe("accepted");
    expect(says({ ...taken, firstSequence: START + 700 }, later)).toBe("accepted");
    expect(says({ ...taken, firstSequence: START + 499 }, later)).toBe("checkpoint-broken firstSequence");
  });

  it("cannot tell of a frame that comes late whose checkpoint was lost with a connection", () => {
    const checker = check();
    const [first, , third] = speak(checkpointer(), 1_400) as [Uint8Array, Uint8Array, Uint8Array];
    checker.check(first);
    checker.note(START + 990, digest(START + 990), 0);
    checker.resume();
    expect(checker.check(third)).toMatchObject({ ok: true, value: { followsLost: true, contradicted: [] } });
    expect(checker.note(START + 499, digest(START + 499, 9), 0), "listed before").toBe("contradicted");
    expect(checker.note(START - 1, digest(START - 1), 0), "passed over before").toBe("contradicted");
    expect(checker.note(START + 500, digest(START + 500), 0)).toBe("lost");
    expect(checker.note(START + 989, digest(START + 989), 0)).toBe("lost");
    expect(checker.note(START + 991, digest(START + 991), 0), "nothing had come so far").toBe("contradicted");
    expect(checker.note(START + 1_000, digest(START + 1_000, 9), 0), "listed").toBe("contradicted");
  });

  it("tells since when a frame waits for its checkpoint", () => {
    const checker = check();
    checker.note(START, digest(START), 100);
    checker.note(START + 1, digest(START + 1), 120);
    expect(checker.uncoveredSince).toBe(100);
    const maker = checkpointer();
    maker.add(START, WALL, digest(START), 0);
    checker.check(maker.poll(CHECKPOINT_INTERVAL.frame) ?? new Uint8Array(0));
    expect(checker.uncoveredSince).toBe(120);
  });

  it("refuses a chain with one removed, repeated, swapped, or with any byte changed", () => {
    const made = speak(checkpointer(), 1203);
    const [first, second, third] = made as [Uint8Array, Uint8Array, Uint8Array];
    expect(fault(check().check(second))).toBe("checkpoint-broken index");
    const repeated = check();
    repeated.check(first);
    expect(fault(repeated.check(first))).toBe("checkpoint-broken index");
    expect(fault(repeated.check(third))).toBe("checkpoint-broken index");
    // A refusal changes nothing: the right one is still taken.
    expect(fault(repeated.check(second))).toBe("accepted");
    expect(fault(repeated.check(third))).toBe("accepted");
    expect(fault(repeated.check(third))).toBe("checkpoint-broken final");
    const short = speak(checkpointer(), 3)[0] ?? new Uint8Array(0);
    for (let at = 0; at < short.length; at++) {
      const changed = short.slice();
      changed[at] = (changed[at] ?? 0) ^ 0x10;
      expect(fault(check().check(changed)), `byte ${at}`).not.toBe("accepted");
    }
  });

  it("refuses what is signed well and says something else", () => {
    const good = value(speak(checkpointer(), 3)[0] ?? new Uint8Array(0));
    const says = (more: Partial<typeof good>, by = signer): string =>
      fault(check().check(encodeCheckpoint({ ...good, ...more }, by)));
    expect(says({})).toBe("accepted");
    expect(says({ sessionDigest: new Uint8Array(32) })).toBe("checkpoint-broken sessionDigest");
    expect(says({ leg: 1 })).toBe("checkpoint-broken leg");
    expect(says({ stream: 4 })).toBe("checkpoint-broken stream");
    expect(says({ totalFrames: 4 })).toBe("checkpoint-broken totalFrames");
    expect(says({ keyGeneration: 2 })).toBe("signature-invalid");
    expect(says({}, seedSigner(32))).toBe("signature-invalid");
    const checker = check();
    const maker = checkpointer();
    for (let index = 0; index < 3; index++) maker.add(START + index, WALL, digest(START + index), 0);
    const opening = maker.poll(CHECKPOINT_INTERVAL.frame) ?? new Uint8Array(0);
    const closing = value(maker.finish());
    expect(fault(checker.check(opening))).toBe("accepted");
    const skipping = { ...closing, firstSequence: START + 4 };
    expect(fault(checker.check(encodeCheckpoint(skipping, signer)))).toBe("checkpoint-broken firstSequence");
    const unchained = { ...closing, previous: new Uint8Array(32).fill(1) };
    expect(fault(checker.check(encodeCheckpoint(unchained, signer)))).toBe("checkpoint-broken previous");
    expect(fault(checker.check(new Uint8Array(10)))).toContain("checkpoint-malformed");
  });

  it("lets go of the oldest frames when checkpoints never come, and counts them", () => {
    const checker = check();
    for (let index = 0; index < MAX_UNSETTLED_FRAMES + 10; index++) {
      checker.note(START + index, digest(START + index), index);
    }
    expect(checker.counters()).toMatchObject({ uncovered: MAX_UNSETTLED_FRAMES, forgotten: 10 });
    expect(checker.uncoveredSince).toBe(10);
  });
});
