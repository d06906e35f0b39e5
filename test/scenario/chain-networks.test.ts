/** Profile `chain` over networks that lose and delay: what proves a voice comes late, and the voice goes on. */
import { describe, expect, it } from "vitest";
import type { Checkpoint } from "../../codecs/checkpoint.ts";
import { Attribution } from "../../sfu/attribution.ts";
import { Link, type LinkConditions, PRESETS } from "../../src/emulation/link.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { connected, Recording, say } from "./talking.ts";
import { World } from "./world.ts";

/** What is due when the first unlisted frame is a second old, looked at four times a second. */
const CHECKPOINT_MS = 1_250;
const FRAME_MS = 20;
const NEAR: LinkConditions = { delay: 1 };

/** Two hops one after the other: when what leaves at `now` arrives. */
function way(hops: readonly [LinkConditions, LinkConditions], random: SeededRandom) {
  const [first, second] = hops.map((conditions) => new Link(conditions, random.fork())) as [Link, Link];
  return {
    datagram(now: number): number | undefined {
      const between = first.datagram(200, now);
      return between === undefined ? undefined : second.datagram(200, between);
    },
    reliable: (now: number): number => second.reliable(1_100, first.reliable(1_100, now)),
  };
}

interface Happening {
  readonly at: number;
  /** A frame of this number and age was played as soon as it came; or frames below it are listed. */
  readonly frame?: number;
  readonly age?: number;
  readonly listed?: number;
}

/**
 * How long a listener takes what a voice of `seconds` says for attributed: the time of the first frame that it does not, and how long before
 * that it was played. `withheldFrom`: no checkpoint comes of what is said from then on, ms.
 */
function firstUnattributed(
  hops: readonly [LinkConditions, LinkConditions],
  seed: number,
  seconds: number,
  withheldFrom = Number.POSITIVE_INFINITY,
): { readonly frame: number; readonly after: number } | undefined {
  const random = new SeededRandom(seed);
  const [frames, checkpoints] = [way(hops, random), way(hops, random)];
  const happenings: Happening[] = [];
  for (let frame = 0; frame * FRAME_MS < seconds * 1_000; frame += 1) {
    const at = frames.datagram((frame + 1) * FRAME_MS);
    if (at !== undefined) happenings.push({ at, frame, age: at - frame * FRAME_MS });
  }
  let last = 0;
  for (let sent = CHECKPOINT_MS; sent < seconds * 1_000 + CHECKPOINT_MS; sent += CHECKPOINT_MS) {
    if (sent > withheldFrom) break;
    // They are in order: one that is late holds up the next.
    last = Math.max(last, checkpoints.reliable(sent));
    happenings.push({ at: last, listed: Math.floor(sent / FRAME_MS) });
  }
  happenings.sort((one, other) => one.at - other.at);
  const attribution = new Attribution();
  const playedAt = new Map<number, number>();
  let listedBelow = 0;
  for (const { at, frame, age, listed } of happenings) {
    if (frame !== undefined && age !== undefined) {
      attribution.taken(frame, frame < listedBelow ? "matched" : "uncovered", age);
      attribution.played(frame, at);
      playedAt.set(frame, at);
    } else if (listed !== undefined) {
      const digests = new Array<Uint8Array>(listed - listedBelow);
      const checkpoint = { firstSequence: listedBelow, digests, final: false } as unknown as Checkpoint;
      listedBelow = listed;
      attribution.covered({ checkpoint, matched: 0, unseen: 0, contradicted: [], followsLost: false }, at);
    }
    const told = attribution.poll(at);
    if (told !== undefined) return { frame: told.first, after: at - (playedAt.get(told.first) ?? 0) };
  }
  return undefined;
}

const NAMES = Object.keys(PRESETS) as (keyof typeof PRESETS)[];

describe("what a listener of profile chain waits for", () => {
  it.each(NAMES)(
    "comes in time for twenty minutes over %s, at both ends, at the speaker's or at the listener's",
    (name) => {
      const slow = PRESETS[name];
      for (const hops of [
        [slow, slow],
        [slow, NEAR],
        [NEAR, slow],
      ] as const)
        expect(firstUnattributed(hops, 7, 1_200)).toBeUndefined();
    },
  );

  it.each(NAMES)(
    "and does not come, over %s: found out 10 s later at most, 3 s where the way is short",
    (name) => {
      const slow = PRESETS[name];
      const hops = [slow, slow] as const;
      const withheld = firstUnattributed(hops, 8, 40, 20_000);
      expect(withheld?.frame).toBeGreaterThan(900);
      const isShort = 2 * (slow.delay + slow.jitter) + FRAME_MS < 150;
      expect(withheld?.after).toBeLessThan((isShort ? 3_000 : 10_000) + FRAME_MS);
    },
  );
});

it("a voice of profile chain goes on over two satellite hops, though checkpoints are lost there and come again", async () => {
  const toServer = new Link(PRESETS.satellite, new SeededRandom(2));
  const toClient = new Link(PRESETS.satellite, new SeededRandom(52));
  const world = new World({ toServer, toClient });
  const [ada, bob] = [await world.agent("Ada"), await world.agent("Bob")];
  const pair = await connected(world, ada, bob, { profile: "chain" });
  const recording = new Recording(pair.answered);
  await say(world, pair.call, 12);
  await world.clock.advance(2_500);
  const { heard } = pair.answered.stats();
  expect(heard).toMatchObject({
    unattributed: 0,
    isStopped: false,
    checkpoints: { bad: 0, contradicted: 0 },
  });
  expect(heard?.checkpoints.good).toBeGreaterThan(9);
  expect(recording.count("speech")).toBeGreaterThan(520);
});
