/** Calls over networks that lose, delay and reorder. */
import { expect, it } from "vitest";
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

interface Hole {
  /** Frame times between two frames of speech in which there was none. */
  readonly frames: number;
  /** Frames by which the later one's number is ahead: lost, or too late. */
  readonly missing: number;
}

/** Where speech was interrupted. */
function holes(recording: Recording): Hole[] {
  const found: Hole[] = [];
  let last: number | undefined;
  let between = 0;
  for (const frame of recording.frames) {
    if (frame.kind !== "speech") {
      between += 1;
      continue;
    }
    if (last !== undefined && between > 0) {
      found.push({ frames: between, missing: frame.sequence - last - 1 });
    }
    last = frame.sequence;
    between = 0;
  }
  return found;
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
  const interrupted = holes(recording);
  // Playing stumbles where frames are missing, and for a few frames where the delay turns out longer than thought.
  for (const { frames, missing } of interrupted) expect(frames).toBeLessThanOrEqual(missing + 4);
  const longestHole = Math.max(...interrupted.map(({ frames }) => frames * 20));
  expect(longestGap).toBeLessThanOrEqual(longestHole + 20);
  await world.during(pair.call.end());
  expect(await world.during(pair.answered.ended)).toEqual({ reason: "done", by: "peer" });
  expect(world.reported).toEqual([]);
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
