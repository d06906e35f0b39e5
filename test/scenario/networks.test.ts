/** Calls over networks that lose, delay and reorder. */
import { expect, it } from "vitest";
import type { Call } from "../../agent/call.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { Link, PRESETS } from "../../src/emulation/link.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { compareUtterance } from "../../src/listening/compare.ts";
import { connected, Recording, say } from "./talking.ts";
import { World } from "./world.ts";

/** How alike an utterance must sound at the far end. */
const LIKENESS = {
  wifi: 0.95,
  "lossy-wifi": 0.85,
  cellular: 0.9,
  congested: 0.75,
  satellite: 0.85,
} as const satisfies Record<keyof typeof PRESETS, number>;

/** Share of the speech's time that may be made up beyond what the network lost: frames that came too late. */
const LATE_SHARE = 0.05;
/** What may lie between the longest way through both links and the loudspeaker, ms: a frame of 20 ms, and what the playout holds. */
const HOLD_MS = 100;

/** What Opus needs of the future, ms: part of what a listener waits for, and of no frame's own time. */
const LOOK_AHEAD_MS = 6.5;

interface Hole {
  /** Frame times between two frames of speech in which there was none. */
  readonly frames: number;
  /** Frames by which the later one's number is ahead: lost, or too late. */
  readonly missing: number;
  /** By how much longer the later one was on its way to the ear, ms. */
  readonly longer: number;
}

/** Where speech was interrupted. */
function holes(recording: Recording): Hole[] {
  const found: Hole[] = [];
  let last: { readonly sequence: number; readonly delay: number } | undefined;
  let between = 0;
  for (const frame of recording.frames) {
    if (frame.kind !== "speech") {
      between += 1;
      continue;
    }
    const { sequence } = frame;
    const delay = frame.playedAt - frame.capturedAt;
    if (last !== undefined && between > 0) {
      found.push({ frames: between, missing: sequence - last.sequence - 1, longer: delay - last.delay });
    }
    last = { sequence, delay };
    between = 0;
  }
  return found;
}

/** Milliseconds from capture to the loudspeaker of nine frames of ten, at the most. */
function delayOf({ frames }: Recording): number {
  const ages = frames.flatMap((frame) =>
    frame.kind === "speech" ? [frame.playedAt - frame.capturedAt] : [],
  );
  return ages.toSorted((a, b) => a - b)[Math.floor(ages.length * 0.9)] ?? Number.POSITIVE_INFINITY;
}

/** Whether what was heard is one timeline without a gap or overlap, whatever it is made of. */
function isContinuous({ frames }: Recording): boolean {
  return frames.every(({ position, pcm, channels }, index) => {
    const next = frames[index + 1];
    return next === undefined || next.position === position + pcm.length / channels;
  });
}

/** What the evidence file of a call that is over is worth. */
async function faultsIn(world: World, call: Call): Promise<readonly unknown[]> {
  const anchors = { issuerKeys: [world.issuer.signer.publicKey], agentIds: [world.serverId] };
  const { report } = verifyEvidence(await world.during(call.evidence()), anchors, verifier);
  return report.faults;
}

it.each(Object.keys(PRESETS) as (keyof typeof PRESETS)[])("speech comes through over %s", async (name) => {
  const toServer = new Link(PRESETS[name], new SeededRandom(11));
  const toClient = new Link(PRESETS[name], new SeededRandom(12));
  const world = new World({ toServer, toClient });
  const pair = await connected(world, await world.agent("Ada"), await world.agent("Bob"));
  const recording = new Recording(pair.answered);
  const said = await say(world, pair.call, 4);
  await world.clock.advance(2_500);
  const { heard } = pair.answered.stats();
  const { correlation, longestGap } = compareUtterance(said, recording.pcm(), 48_000);
  expect(toServer.counters.lost + toClient.counters.lost).toBeGreaterThan(0);
  expect(recording.count("concealed")).toBeGreaterThan(0);
  expect(recording.count("speech") + recording.count("concealed")).toBeGreaterThan(190);
  expect(heard?.refused).toEqual({});
  expect(correlation).toBeGreaterThan(LIKENESS[name]);
  expect(isContinuous(recording)).toBe(true);
  const [made, spoken] = [recording.count("concealed"), recording.count("speech")];
  const arriving = (1 - PRESETS[name].loss) ** 2;
  const lost = Math.max(1 - arriving, 1 - (heard?.verified ?? 0) / 201);
  expect(made / (made + spoken)).toBeLessThan(lost + LATE_SHARE);
  const { delay, jitter } = PRESETS[name];
  expect(delayOf(recording)).toBeLessThan(2 * (delay + jitter) + HOLD_MS);
  const interrupted = holes(recording);
  // Playing stumbles where frames are missing, and where the delay turns out longer than thought, by just that.
  for (const { frames, missing, longer } of interrupted)
    expect(Math.abs((frames - missing) * 20 - longer)).toBeLessThanOrEqual(20);
  // In all by no more than two frames can differ in how long they were on both ways.
  const stumbled = interrupted.reduce((sum, { frames, missing }) => sum + Math.max(0, frames - missing), 0);
  expect(stumbled * 20).toBeLessThanOrEqual(4 * jitter + 40);
  const longestHole = Math.max(...interrupted.map(({ frames }) => frames * 20));
  expect(longestGap).toBeLessThanOrEqual(longestHole + 20);
  await world.during(pair.call.end());
  expect(await world.during(pair.answered.ended)).toEqual({ reason: "done", by: "peer" });
  await world.during(pair.answered.settled);
  expect(await faultsIn(world, pair.answered)).toEqual([]);
  expect(world.reported).toEqual([]);
});

it("3 % lost and 30 ms of jitter: heard within 150 ms, under 4 % made up, nothing missing for more than 60 ms (P6)", async () => {
  const rough = { delay: 30, jitter: 30, loss: 0.03 };
  const toServer = new Link(rough, new SeededRandom(3));
  const world = new World({ toServer, toClient: new Link({ delay: 1 }, new SeededRandom(4)) });
  const pair = await connected(world, await world.agent("Ada"), await world.agent("Bob"));
  await say(world, pair.call, 2);
  await world.clock.advance(500);
  const recording = new Recording(pair.answered);
  await say(world, pair.call, 8);
  await world.clock.advance(500);
  const [made, spoken] = [recording.count("concealed"), recording.count("speech")];
  expect(made / (made + spoken)).toBeLessThan(0.04);
  expect(delayOf(recording) + LOOK_AHEAD_MS).toBeLessThan(150);
  let [longest, present] = [0, 0];
  for (const { kind } of recording.frames) {
    present = kind === "concealed" ? present + 20 : 0;
    longest = Math.max(longest, present);
  }
  expect(longest).toBeLessThanOrEqual(60);
  expect(toServer.counters.lost).toBeGreaterThan(8);
});

it("delay that varies, and nothing lost: every frame is heard, none is concealed once the delay is known", async () => {
  const jittery = { delay: 40, jitter: 30, reorder: true };
  const world = new World({
    toServer: new Link(jittery, new SeededRandom(5)),
    toClient: new Link(jittery, new SeededRandom(6)),
  });
  const pair = await connected(world, await world.agent("Ada"), await world.agent("Bob"));
  await say(world, pair.call, 2);
  await world.clock.advance(500);
  const before = pair.answered.stats().heard;
  await say(world, pair.call, 3);
  await world.clock.advance(500);
  const after = pair.answered.stats().heard;
  expect(after?.verified).toBe(101 + 151);
  expect((after?.late ?? 0) - (before?.late ?? 0)).toBeLessThanOrEqual(3);
});
