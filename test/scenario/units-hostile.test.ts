/** Video past ends that do not do their part: they stop reading, or send what is no unit, too many, too slowly. Others' calls go on. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Call } from "../../agent/call.ts";
import { FrameView, parseFrame } from "../../codecs/frame.ts";
import { isRtcp, parseRtcp } from "../../codecs/rtcp.ts";
import { parseArrivalReport } from "../../codecs/rtcp-arrivals.ts";
import { encodePictureLoss } from "../../codecs/rtcp-pli.ts";
import { encodeUnitStart } from "../../codecs/unit-stream.ts";
import { encodeVarint, readVarint, varintLength } from "../../codecs/varint.ts";
import type { Connection, SendStream } from "../../sfu/carrier.ts";
import { OPEN_UNITS_PER_FLOW } from "../../sfu/unit-caps.ts";
import { Link } from "../../src/emulation/link.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { WireTap } from "../net/wire-tap.ts";
import { Camera, Watched } from "./showing.ts";
import { connected, type Pair, utterance } from "./talking.ts";
import { World } from "./world.ts";

const PICTURE = {
  audio: { codecs: ["pcmu"] },
  video: { codecs: ["vp8"], maxWidth: 640, maxHeight: 360 },
} as const;
const SOON = { firstDelay: 500, maxDelay: 1_000 };
/** Streams of units that one connection may have unfinished at the server. */
const MOST_UNFINISHED = 128;

let world: World;
let way: WireTap;
beforeEach(() => {
  const link = (seed: number) => new Link({ delay: 20 }, new SeededRandom(seed));
  world = new World({ toServer: link(1), toClient: link(2) });
  way = new WireTap(world.network);
});

function talk(call: Call): void {
  void call.audio.write(utterance(60, 8_000)).catch(() => undefined);
}

/** A voice and a picture from a new agent to another; `ages` has how old each frame of either was when it came, ms. */
async function neighbours(): Promise<{ readonly ages: number[]; readonly watched: Watched }> {
  const view = new FrameView();
  const ages: number[] = [];
  const tap = ({ bytes }: { readonly bytes: Uint8Array }) => {
    parseFrame(bytes, 0, view);
    ages.push(world.clock.wall() - view.captureMs);
  };
  const [carl, dora] = [await world.agent("Carl"), await world.agent("Dora")];
  const pair = await connected(world, carl, dora, PICTURE, { ...PICTURE, tap });
  talk(pair.call);
  const watched = new Watched(world, pair.answered);
  new Camera(world, pair.call);
  return { ages, watched };
}

function opened(): Connection {
  if (way.connection === undefined) throw new Error("no connection");
  return way.connection;
}

const queues = () => world.server.overview().queues;

describe("a listener that stops reading", () => {
  let reads: boolean;
  let pair: Pair;
  let camera: Camera;

  beforeEach(async () => {
    reads = true;
    // The carrier's own pings pass: nothing is told of what comes.
    way.alter = (bytes) => (reads || readVarint(bytes, 0) === 0 ? [bytes] : []);
    const bob = await world.agent("Bob", { reconnect: SOON }, way);
    pair = await connected(world, await world.agent("Ada"), bob, PICTURE, PICTURE);
    camera = new Camera(world, pair.call);
    await world.clock.advance(4_000);
  });

  it("has few units kept for it, its speaker is asked for few key frames, and others see and hear as before", async () => {
    const { ages } = await neighbours();
    await world.clock.advance(3_000);
    reads = false;
    const { keyFrames } = camera;
    let most = 0;
    for (let look = 0; look < 200; look += 1) {
      await world.clock.advance(50);
      most = Math.max(most, queues().open_units);
    }
    expect(most).toBeGreaterThan(3);
    expect(most).toBeLessThanOrEqual(2 * OPEN_UNITS_PER_FLOW);
    expect(camera.keyFrames - keyFrames).toBeLessThan(12);
    expect(Math.max(...ages.slice(200))).toBeLessThan(400);
  });
});

describe("a speaker that sends what is no unit", () => {
  let pair: Pair;
  let connection: Connection;
  let flow: number;

  beforeEach(async () => {
    const ada = await world.agent("Ada", { reconnect: SOON }, way);
    pair = await connected(world, ada, await world.agent("Bob"), PICTURE, PICTURE);
    connection = opened();
    flow = await flowOfVideo();
    new Camera(world, pair.call);
    await world.clock.advance(1_000);
  });

  /** Where a stream that begins counts as one of units, while there are no true ones. */
  async function flowOfVideo(): Promise<number> {
    for (let candidate = 1; candidate < 30; candidate += 1) {
      const before = queues().unfinished_units;
      const stream = await begun(candidate, Uint8Array.of(0x44, 0, 1));
      const isIt = queues().unfinished_units > before;
      stream.reset(0);
      await world.clock.advance(60);
      if (isIt) return candidate;
    }
    throw new Error("no flow of video");
  }

  async function begun(on: number, rest: Uint8Array, first = 0): Promise<SendStream> {
    const stream = await connection.openStream();
    await stream.write(Uint8Array.from([...encodeUnitStart(on, first), ...rest]));
    await world.clock.advance(30);
    return stream;
  }

  const broken = () => world.server.overview().units.broken;

  it("streams that never end, more than the cap: the oldest go, all in time, and others see and hear as before", async () => {
    const { ages } = await neighbours();
    await world.clock.advance(2_000);
    const streams: SendStream[] = [];
    for (let count = 0; count < 60; count += 1) streams.push(await begun(flow, Uint8Array.of(0x44, 0, 1)));
    expect(queues().unfinished_units).toBeLessThanOrEqual(MOST_UNFINISHED);
    expect(broken()["unit-cap"]).toBeGreaterThan(20);
    for (let second = 0; second < 6; second += 1) {
      for (const stream of streams) void stream.write(Uint8Array.of(1)).catch(() => undefined);
      await world.clock.advance(1_000);
    }
    expect(broken().slow).toBeGreaterThan(20);
    expect(queues().unfinished_units).toBeLessThan(5);
    expect(Math.max(...ages.slice(100))).toBeLessThan(400);
  });

  it("streams that never say of what they are: few are kept, the rest is stopped, and others see and hear as before", async () => {
    const { ages } = await neighbours();
    await world.clock.advance(1_000);
    const before = { ...broken() };
    // The first byte of an identifier of eight.
    for (let count = 0; count < 60; count += 1) {
      const stream = await connection.openStream();
      await stream.write(Uint8Array.of(0xc0));
      if (count % 10 === 0) await world.clock.advance(100);
    }
    await world.clock.advance(200);
    expect(queues().unfinished_units).toBeLessThanOrEqual(32 + 4);
    const shed = broken()["unit-cap"] - before["unit-cap"];
    // A unit of its own that began meanwhile takes a place for a moment.
    expect(shed).toBeGreaterThanOrEqual(60 - 32);
    await world.clock.advance(5_000);
    expect(broken().slow - before.slow).toBe(60 - shed);
    expect(queues().unfinished_units).toBeLessThan(5);
    expect(Math.max(...ages.slice(50))).toBeLessThan(400);
    expect(pair.call.state).toBe("active");
  });

  it("units too large, cut off, with numbers that lie or for flows of others change nothing but counts", async () => {
    const before = broken().malformed;
    const large = await begun(flow, encodeVarint(2 ** 21));
    await world.clock.advance(100);
    await expect(world.during(large.write(new Uint8Array(2_000)))).rejects.toMatchObject({
      code: "connection-lost",
    });
    await (await begun(flow, Uint8Array.of(20, 1, 2))).finish();
    await (await begun(flow, Uint8Array.of(3, 1, 2, 3), 2 ** 40)).finish();
    await (await begun(flow + 1_000, Uint8Array.of(3, 1, 2, 3))).finish();
    await world.clock.advance(500);
    expect(broken().malformed - before).toBe(2);
    const watched = new Watched(world, pair.answered);
    await world.clock.advance(2_000);
    expect(watched.units.length).toBeGreaterThan(20);
    expect(pair.call.state).toBe("active");
  });

  it("resets without end cost it the connection, by name", async () => {
    const { ages } = await neighbours();
    await world.clock.advance(1_000);
    let count = 0;
    try {
      for (; count < 2_000; count += 1) {
        const stream = await connection.openStream();
        await stream.write(encodeUnitStart(flow, 0));
        stream.reset(0);
        if (count % 20 === 0) await world.clock.advance(50);
      }
    } catch {
      // Closed.
    }
    await world.clock.advance(500);
    expect(count).toBeGreaterThan(200);
    expect(count).toBeLessThan(800);
    expect(Math.max(...ages.slice(100))).toBeLessThan(400);
  });
});

it("a listener that asks for key frames without end gets one now and then, and its speaker is asked twice a second at most", async () => {
  const own: number[] = [];
  const sources = new Set<number>();
  way.alter = (bytes) => {
    const offset = varintLength(bytes[0] ?? 0);
    own.push(readVarint(bytes, 0));
    // What it reports names the picture's source.
    const packets = isRtcp(bytes, offset) ? parseRtcp(bytes, offset) : undefined;
    for (const packet of packets?.ok === true ? packets.value : []) {
      const report = parseArrivalReport(bytes, packet);
      if (report.ok) for (const { ssrc } of report.value.streams) sources.add(ssrc);
    }
    return [bytes];
  };
  const bob = await world.agent("Bob", { reconnect: SOON }, way);
  const pair = await connected(world, await world.agent("Ada"), bob, PICTURE, PICTURE);
  const camera = new Camera(world, pair.call);
  await world.clock.advance(2_000);
  expect(sources.size).toBeGreaterThan(0);
  const asked = world.server.overview().units.keyFramesAsked;
  const { keyFrames } = camera;
  const connection = opened();
  for (let round = 0; round < 100; round += 1) {
    for (const flow of new Set(own.filter((each) => each !== 0))) {
      for (const ssrc of sources) {
        const pli = encodePictureLoss({ sender: 1, ssrc });
        connection.sendDatagram(Uint8Array.from([...encodeVarint(flow), ...pli]));
      }
    }
    await world.clock.advance(50);
  }
  const more = world.server.overview().units.keyFramesAsked - asked;
  expect(more).toBeGreaterThan(1);
  expect(more).toBeLessThanOrEqual(10);
  expect(camera.keyFrames - keyFrames).toBeLessThanOrEqual(10);
});
