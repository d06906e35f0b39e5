/** Video for more than a thin link takes: few units are open or wait, the oldest deltas are reset rather than queued, and a key frame is asked for. */
import { expect, it } from "vitest";
import type { Call } from "../../agent/call.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { type Carrier, CLOSE_CODES, type Connection, type ReceiveStream } from "../../sfu/carrier.ts";
import { OPEN_UNITS_PER_CONNECTION, OPEN_UNITS_PER_FLOW } from "../../sfu/unit-caps.ts";
import { Link } from "../../src/emulation/link.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { Camera, Watched } from "./showing.ts";
import { connected } from "./talking.ts";
import { World } from "./world.ts";

/** A speaker that does not follow what the way takes: 720 kbit/s. */
const SHOWING = {
  audio: { codecs: ["pcmu"] },
  video: { codecs: ["vp8"], maxWidth: 640, maxHeight: 360, direction: "sendonly" },
  adaptation: false,
} as const;
const WATCHING = { ...SHOWING, video: { codecs: ["vp8"] } } as const;
/** Milliseconds between looks at what is open. */
const LOOK_MS = 5;
/** Of a key frame on the way, of what waits before it, and of the request for it. */
const KEY_FRAME_MS = 1_000;

/** A way whose streams to the client are seen: how those ended that did, and how many bytes came of each. */
class SeenStreams implements Carrier {
  readonly ended: { bytes: number; resetWith?: unknown }[] = [];
  readonly #carrier: Carrier;

  constructor(carrier: Carrier) {
    this.#carrier = carrier;
  }

  connect: Carrier["connect"] = (url, options, accept): Promise<Connection> =>
    this.#carrier.connect(url, options, (connection) => {
      const handlers = accept(connection);
      return { ...handlers, stream: (stream) => handlers.stream(this.#seen(stream)) };
    });

  #seen(stream: ReceiveStream): ReceiveStream {
    let bytes = 0;
    return {
      read: async () => {
        try {
          const chunk = await stream.read();
          if (chunk === undefined) this.ended.push({ bytes });
          bytes += chunk?.length ?? 0;
          return chunk;
        } catch (error) {
          const { stream_code: resetWith } = (error instanceof ParleyError && error.details) || {};
          this.ended.push({ bytes, resetWith });
          throw error;
        }
      },
      stop: (code) => stream.stop(code),
    };
  }
}

/** A link in each direction: `rate`, bits a second, is what one of them takes. */
function way(world: World, thin: "toServer" | "toClient", rate: number): Carrier {
  const link = (seed: number) => new Link({ delay: 20 }, new SeededRandom(seed));
  const narrow = new Link({ delay: 20, rate }, new SeededRandom(3));
  return world.way({ toServer: link(1), toClient: link(2), [thin]: narrow });
}

/** A call from a new agent that shows without end. */
async function shown(
  world: World,
  bob: Awaited<ReturnType<World["agent"]>>,
  seed: number,
  carrier?: Carrier,
) {
  const ada = await world.agent(`Ada ${seed}`, {}, carrier);
  const { call, answered } = await connected(world, ada, bob, SHOWING, WATCHING);
  const watched = new Watched(world, answered);
  const ages: number[] = [];
  void age(world, answered, ages);
  return { call, answered, watched, ages, camera: new Camera(world, call, [0], seed) };
}

/** How old each unit was when it was handed out, ms. */
async function age(world: World, call: Call, ages: number[]): Promise<void> {
  for await (const { capturedAt } of call.video ?? []) ages.push(world.clock.wall() - capturedAt);
}

/** Lets time pass; returns the most that `open` said meanwhile. */
async function mostOf(world: World, ms: number, open: () => number): Promise<number> {
  let most = 0;
  for (let passed = 0; passed < ms; passed += LOOK_MS) {
    await world.clock.advance(LOOK_MS);
    most = Math.max(most, open());
  }
  return most;
}

/** The longest time in which nothing was shown. */
function longestGap(at: readonly number[]): number {
  return Math.max(...at.slice(1).map((next, index) => next - (at[index] ?? next)));
}

const sum = (counts: Readonly<Record<string, number>>) =>
  Object.values(counts).reduce((all, one) => all + one, 0);
const openUnits = (world: World) => world.server.overview().queues.open_units;

it("one flow to a listener has 16 units open: then old deltas are reset and a key frame comes, time after time", async () => {
  const world = new World();
  const streams = new SeenStreams(way(world, "toClient", 300_000));
  const bob = await world.agent("Bob", {}, streams);
  const { call, watched, ages, camera } = await shown(world, bob, 1);
  expect(await mostOf(world, 10_000, () => openUnits(world))).toBe(OPEN_UNITS_PER_FLOW);
  const { frames, units } = world.server.overview();
  expect(Object.keys(frames.dropped).sort()).toEqual(["dependency", "unit-cap"]);
  expect(frames.dropped["unit-cap"]).toBeGreaterThan(10);
  expect(frames.forwarded + sum(frames.dropped) + openUnits(world)).toBe(frames.admitted);
  expect(camera.keyFrames).toBeGreaterThan(10);
  expect(units.keyFramesAsked - (frames.dropped["unit-cap"] ?? 0)).toBeLessThanOrEqual(1);
  const reset = streams.ended.filter(({ resetWith }) => resetWith !== undefined);
  expect(new Set(reset.map(({ resetWith }) => resetWith))).toEqual(new Set([CLOSE_CODES.overloaded]));
  expect(reset.length).toBeGreaterThan(10);
  expect(longestGap(watched.at)).toBeLessThan(KEY_FRAME_MS);
  expect(Math.max(...ages)).toBeLessThan(KEY_FRAME_MS);
  await world.during(call.end());
  expect(openUnits(world)).toBe(0);
  await world.clock.advance(1_000);
  expect(world.server.sizes().media).toMatchObject({ unitWriters: 0, spokenVideo: 0, busyVideo: 0 });
});

it("all flows to a listener have 64: each of eight calls gives way, asks for its key frames, and goes on", async () => {
  const world = new World();
  const bob = await world.agent("Bob", {}, way(world, "toClient", 2_000_000));
  const calls = [];
  for (let seed = 1; seed <= 8; seed += 1) calls.push(await shown(world, bob, seed));
  expect(await mostOf(world, 5_000, () => openUnits(world))).toBe(OPEN_UNITS_PER_CONNECTION);
  const { frames, units } = world.server.overview();
  expect(Object.keys(frames.dropped).sort()).toEqual(["dependency", "unit-cap"]);
  expect(frames.forwarded + sum(frames.dropped) + openUnits(world)).toBe(frames.admitted);
  expect(units.keyFramesAsked).toBeGreaterThan(30);
  const lastKeyFrame = world.clock.now() - 3 * KEY_FRAME_MS;
  for (const { watched, ages, camera } of calls) {
    expect(camera.keyFrames).toBeGreaterThan(4);
    expect(watched.at.at(-1)).toBeGreaterThan(lastKeyFrame);
    expect(Math.max(...ages)).toBeLessThan(2 * KEY_FRAME_MS);
  }
});

it("a speaker has 16 open to the server: its encoder is told of each one that was reset, and makes a key frame", async () => {
  const world = new World();
  const bob = await world.agent("Bob");
  const { call, watched, ages, camera } = await shown(world, bob, 1, way(world, "toServer", 300_000));
  const open = () => call.stats().hop?.units ?? 0;
  expect(await mostOf(world, 10_000, open)).toBe(OPEN_UNITS_PER_FLOW);
  const { "unit-cap": capped = 0, dependency = 0, ...others } = call.stats().hop?.dropped ?? {};
  expect(capped).toBeGreaterThan(10);
  expect(sum(others)).toBe(0);
  const sent = camera.fates.filter((fate) => fate === "sent").length;
  expect(sent + capped + dependency + open()).toBe(camera.fates.length);
  expect(camera.keyFrames).toBeGreaterThan(10);
  expect(world.server.overview().units.broken.reset).toBeGreaterThan(5);
  expect(longestGap(watched.at)).toBeLessThan(KEY_FRAME_MS);
  expect(Math.max(...ages)).toBeLessThan(KEY_FRAME_MS);
});
