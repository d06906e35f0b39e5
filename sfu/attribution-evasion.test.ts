/** Ways for a speaker of profile `chain` to be heard and not held to it: its frames, its signed checkpoints, and what a listener makes of both. */
import { beforeEach, describe, expect, it } from "vitest";
import { checkpointDigest, encodeCheckpoint } from "../codecs/checkpoint.ts";
import { seedSigner, strictVerifier } from "../test/keys.ts";
import { Attribution, type UnattributedFrames } from "./attribution.ts";
import { CheckpointCheck } from "./checkpoint-check.ts";

const START = 1_000;
const PLACE = { sessionDigest: new Uint8Array(32).fill(0xdd), leg: 0, stream: 3 };
const SIGNERS = [seedSigner(31), seedSigner(32)] as const;
const TIME = { seconds: 4_000_000_000, fraction: 0 };
const SAID = new Uint8Array(16).fill(0x11);
const LISTED = new Uint8Array(16).fill(0xee);

let check: CheckpointCheck;
let attribution: Attribution;
let told: UnattributedFrames[];
let index: number;
let previous: Uint8Array;

beforeEach(() => {
  const keys = new Map([[0, SIGNERS[0].publicKey]]);
  check = new CheckpointCheck({ ...PLACE, keys, verifier: strictVerifier });
  attribution = new Attribution();
  [told, index, previous] = [[], 0, new Uint8Array(32)];
});

/** A checkpoint of 60 frames from `firstSequence` on comes. */
function list(
  firstSequence: number,
  now: number,
  { digest = LISTED, keyGeneration = 0, totalFrames = (index + 1) * 60 } = {},
): void {
  const digests = Array.from({ length: 60 }, () => digest);
  const bytes = encodeCheckpoint(
    {
      ...PLACE,
      ...{ keyGeneration, index, previous, firstSequence, digests, totalFrames },
      ...{ epoch: 0, final: false, firstCapture: TIME, lastCapture: TIME },
    },
    SIGNERS[keyGeneration as 0 | 1],
  );
  const checked = check.check(bytes);
  if (!checked.ok) throw new Error(checked.fault.message);
  attribution.covered(checked.value, now);
  [index, previous] = [index + 1, checkpointDigest(bytes)];
}

/** A frame comes and is played. */
function say(sequence: number, now: number): void {
  attribution.taken(sequence, check.note(sequence, SAID, now), 0);
  attribution.played(sequence, now);
  const frames = attribution.poll(now);
  if (frames !== undefined) told.push(frames);
}

it("listing thousands of frames before they are said, as something else, stops it 2 s after the first was played", () => {
  for (let at = 0; at < 70; at += 1) list(START + at * 60, 0);
  for (let at = 0; at < 150; at += 1) {
    if (at % 60 === 0) list(START + index * 60, at * 20);
    say(START + at, at * 20);
  }
  expect(told[0]).toMatchObject({ reason: "uncovered", first: START });
  expect(attribution.isBroken).toBe(true);
  // What is listed from then on mends nothing: these frames stay in no checkpoint that is known here.
  for (let at = 0; at < 20; at += 1) list(START + index * 60, 4_000);
  expect(attribution.isBroken).toBe(true);
});

it("listing frames as something else once the call has gone on to profile frame contradicts them all the same", () => {
  for (let at = 0; at < 50; at += 1) say(START + at, at * 20);
  // Signed, each for itself: which ones were sent is settled.
  for (let at = 50; at < 60; at += 1) check.note(START + at, SAID, at * 20);
  list(START, 1_200);
  expect(attribution.poll(1_200)).toEqual({
    ...{ reason: "contradicted", first: START, last: START + 49, count: 50 },
  });
  expect(attribution.isBroken).toBe(true);
});

describe("a new media key", () => {
  beforeEach(() => {
    for (let at = 0; at < 60; at += 1) say(START + at, at * 20);
    list(START, 1_200, { digest: SAID });
    check.takeKey(1, SIGNERS[1].publicKey);
    expect(attribution.changeSpeaker()).toBeUndefined();
  });

  it("whose first checkpoint begins later than what was said with it stops the stream", () => {
    for (let at = 60; at < 120; at += 1) say(START + at, at * 20);
    list(START + 110, 2_400, { digest: SAID, keyGeneration: 1, totalFrames: 60 });
    expect(attribution.poll(3_200)).toMatchObject({ reason: "uncovered", first: START + 60 });
    list(START + 170, 3_300, { digest: SAID, keyGeneration: 1, totalFrames: 120 });
    expect(attribution.isBroken).toBe(true);
  });

  it("whose checkpoints begin with it leaves the gap before it alone", () => {
    for (let at = 90; at < 150; at += 1) say(START + at, at * 20);
    list(START + 90, 3_000, { digest: SAID, keyGeneration: 1, totalFrames: 60 });
    expect([told, attribution.poll(60_000), attribution.isBroken]).toEqual([[], undefined, false]);
  });
});
