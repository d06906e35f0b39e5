/** One picture in several sizes: the server hands on the one that the listener's way has room for, and changes at key frames alone. */
import { describe, expect, it } from "vitest";
import type { Call } from "../../agent/call.ts";
import type { HeardVideo } from "../../agent/heard-video.ts";
import { VideoStream } from "../../agent/video-stream.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { Link } from "../../src/emulation/link.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { strictVerifier } from "../keys.ts";
import { vp8Frame } from "../vp8-frame.ts";
import { Watched } from "./showing.ts";
import { connected } from "./talking.ts";
import { World } from "./world.ts";

const WIDE = { delay: 20, rate: 3_000_000, queue: 300 };
/** Bits a second of each size, best first, and its lines. */
const SIZES = [
  [900_000, 360],
  [350_000, 180],
  [100_000, 90],
] as const;
const FRAME_RATE = 25;
/** After a change of the way it is shown what there is room for, and after so long a better one is tried at the earliest, ms. */
const [SETTLED_MS, TRIED_MS] = [3_000, 6_000];
/** One that was shown for so long was no trial, seconds. */
const NO_TRIAL_S = 8;
/** How many times a usual frame a key frame has. */
const KEY_SHARE = 4;

/** A camera with an encoder for each size, at rates of their own. Key frames come when asked for and never else. */
class Sizes {
  readonly keyFrames: number[] = [];

  constructor(world: World, call: Call, count: number, picture: VideoStream | undefined = call.video) {
    const next = (): void => {
      if (call.state === "ended") return;
      SIZES.slice(0, count).forEach(([rate, height], rendition) => {
        const key = picture?.wants.renditions[rendition]?.keyFrame === true;
        if (key) this.keyFrames[rendition] = (this.keyFrames[rendition] ?? 0) + 1;
        const bytes = Math.round((rate / 8 / FRAME_RATE) * (key ? KEY_SHARE : 1));
        void picture?.send({ data: vp8Frame(key, bytes, height), rendition });
      });
      world.clock.at(world.clock.now() + 1_000 / FRAME_RATE, next);
    };
    next();
  }
}

async function scene(count: 2 | 3) {
  const down = new Link(WIDE, new SeededRandom(4));
  const world = new World();
  const ada = await world.agent("Ada");
  const bob = await world.agent("Bob", {}, world.way({ toClient: down }));
  const video = { codecs: ["vp8"], maxWidth: 640, maxHeight: 360, renditions: count } as const;
  const options = { audio: false, video, adaptation: false } as const;
  const pair = await connected(world, ada, bob, options, options);
  const watched = new Watched(world, pair.answered);
  const sizes = new Sizes(world, pair.call, count);
  return { world, down, ...pair, watched, sizes };
}

/** Lets time pass until the best rendition has been shown for so many seconds. */
async function untilBest(world: World, { units }: Watched, seconds: number): Promise<void> {
  let stayed = 0;
  for (let second = 0; second < 60; second += 1) {
    const before = units.length;
    await world.clock.advance(1_000);
    const shown = units.slice(before);
    const isBest = shown.length > 0.9 * FRAME_RATE && shown.every(({ rendition }) => rendition === 0);
    stayed = isBest ? stayed + 1 : 0;
    if (stayed === seconds) return;
  }
  throw new Error("the best was never shown");
}

/** The renditions that came, one after the other. */
function turns(units: readonly HeardVideo[]): number[] {
  return units.map(({ rendition }) => rendition).filter((one, at, all) => one !== all[at - 1]);
}

/** Each unit is a key frame, or follows on the one before it, of the same rendition. */
function isDecodable(units: readonly HeardVideo[]): boolean {
  return units.every((unit, at) => {
    const before = units[at - 1];
    return unit.key || (before?.rendition === unit.rendition && before.sequence + 1 === unit.sequence);
  });
}

describe.each([
  [2, 600_000],
  [3, 250_000],
] as const)("a picture in %s sizes", (count, narrow) => {
  it("is shown in the best that the way has room for: a lesser one when it narrows, the best again when it is wide, at key frames alone, and the record tells", async () => {
    const { world, down, call, answered, watched, sizes } = await scene(count);
    const least = count - 1;
    await untilBest(world, watched, NO_TRIAL_S);
    const keysBefore = sizes.keyFrames[least] ?? 0;
    const narrowAt = world.clock.now();
    down.change({ ...WIDE, rate: narrow }, narrowAt);
    await world.clock.advance(TRIED_MS);
    const little = watched.units.filter((_, at) => {
      const after = (watched.at[at] ?? 0) - narrowAt;
      return after > SETTLED_MS && after < TRIED_MS;
    });
    expect(turns(little)).toEqual([least]);
    expect(little.length).toBeGreaterThan(0.5 * FRAME_RATE * ((TRIED_MS - SETTLED_MS) / 1_000));
    expect(sizes.keyFrames[least]).toBeGreaterThan(keysBefore);
    down.change(WIDE, world.clock.now());
    await untilBest(world, watched, 1);
    expect(isDecodable(watched.units)).toBe(true);
    const shown = turns(watched.units);
    expect(answered.video?.stats().switches).toBe(shown.length - 1);
    expect(shown.length).toBeLessThan(16);
    await world.during(call.end());
    await world.during(answered.settled);
    const file = await world.during(answered.evidence());
    const trust = { issuerKeys: [world.issuer.signer.publicKey], agentIds: [] };
    const { report } = verifyEvidence(file, trust, strictVerifier);
    expect(report).toMatchObject({ verdict: "verified", faults: [] });
    const told = report.statements.flatMap(
      ({ text }) => text.match(/callee: is shown rendition (\d)/)?.[1] ?? [],
    );
    expect(told.map(Number)).toEqual(shown);
    expect(world.reported).toEqual([]);
  });
});

it("two videos to one listener have a share of its way each: both in the lesser size where there is no room for two of the best", async () => {
  const { world, down, call, answered, watched, sizes } = await scene(2);
  const wanted = {
    modality: "video",
    codecs: ["vp8"],
    maxWidth: 640,
    maxHeight: 360,
    renditions: 2,
  } as const;
  const second = await world.during(call.open(wanted));
  await world.clock.advance(200);
  const there = answered.streams.find(({ id }) => id === second.id);
  if (!(there instanceof VideoStream)) throw new Error("the second video never opened");
  const both = [watched, new Watched(world, { video: there })];
  const cameras = [sizes, new Sizes(world, call, 2, second)];
  for (const one of both) await untilBest(world, one, NO_TRIAL_S);
  const narrowAt = world.clock.now();
  // Each of the best would fit alone, and so would one beside the lesser one of the other.
  down.change({ ...WIDE, rate: 1_400_000 }, narrowAt);
  await world.clock.advance(TRIED_MS);
  for (const { units, at } of both) {
    const little = units.filter((_, index) => (at[index] ?? 0) - narrowAt > SETTLED_MS);
    expect(turns(little)).toEqual([1]);
    expect(little.length).toBeGreaterThan(0.9 * FRAME_RATE * ((TRIED_MS - SETTLED_MS) / 1_000));
    expect(isDecodable(units)).toBe(true);
  }
  down.change(WIDE, world.clock.now());
  for (const one of both) await untilBest(world, one, 1);
  for (const { keyFrames } of cameras) expect(keyFrames[0]).toBeGreaterThan(1);
  expect(world.reported).toEqual([]);
});
