/** A picture in several renditions, opened in mid-call: asked about once, and muted, held and closed as one. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Call } from "../../agent/call.ts";
import type { AskedStream } from "../../agent/stream-opening.ts";
import type { VideoStream } from "../../agent/video-stream.ts";
import { vp8Frame } from "../vp8-frame.ts";
import { Watched } from "./showing.ts";
import { connected } from "./talking.ts";
import { World } from "./world.ts";

const VOICE = { audio: { codecs: ["pcmu"] }, scope: ["communication:bilateral"], adaptation: false } as const;
const HEIGHTS = [180, 90] as const;
const EACH_MS = 40;

describe("a picture in two renditions", () => {
  let world: World;
  let call: Call;
  let answered: Call;
  let picture: VideoStream;
  let asked: AskedStream[];

  beforeEach(async () => {
    world = new World();
    asked = [];
    const taking = { ...VOICE, streams: (stream: AskedStream) => asked.push(stream) > 0 };
    const identity = { name: "", scope: ["communication:bilateral"] };
    const ada = await world.agent("Ada", { identity: world.identity({ ...identity, name: "Ada" }) });
    const bob = await world.agent("Bob", { identity: world.identity({ ...identity, name: "Bob" }) });
    ({ call, answered } = await connected(world, ada, bob, VOICE, taking));
    const wanted = {
      modality: "video",
      codecs: ["vp8"],
      maxWidth: 320,
      maxHeight: 180,
      renditions: 2,
    } as const;
    picture = await world.during(call.open(wanted));
    await world.clock.advance(200);
  });

  /** Shows both renditions for so many milliseconds; returns how many units left. */
  async function shown(ms: number): Promise<number> {
    const fates: Promise<"sent" | "dropped">[] = [];
    for (let at = 0; at < ms; at += EACH_MS) {
      HEIGHTS.forEach((height, rendition) => {
        const key = picture.wants.renditions[rendition]?.keyFrame === true || at === 0;
        fates.push(picture.send({ data: vp8Frame(key, key ? 3_000 : 700, height), rendition }));
      });
      await world.clock.advance(EACH_MS);
    }
    return (await world.during(Promise.all(fates))).filter((fate) => fate === "sent").length;
  }

  it("is asked about once, with its size and number, and is the call's picture", () => {
    expect(asked).toEqual([
      {
        ...{ id: picture.id, modality: "video", direction: "sendrecv", format: "vp8" },
        picture: { width: 320, height: 180, frameRate: 30, renditions: 2 },
      },
    ]);
    expect(call.video).toBe(picture);
    expect(answered.video?.id).toBe(picture.id);
    expect(call.streams.filter(({ modality }) => modality === "video")).toHaveLength(2);
    expect(world.reported).toEqual([]);
  });

  it("is muted in both, and goes on with key frames", async () => {
    const watched = new Watched(world, answered);
    expect(await shown(400)).toBe(20);
    picture.mute();
    expect(await shown(400)).toBe(0);
    const before = watched.units.length;
    picture.unmute();
    expect(await shown(400)).toBe(20);
    await world.clock.advance(200);
    expect(watched.units.length).toBeGreaterThan(before);
    expect(watched.units[before]?.key).toBe(true);
    expect(world.reported).toEqual([]);
  });

  it("is held in both by who watches it", async () => {
    const watched = new Watched(world, answered);
    const told: unknown[] = [];
    call.on("stream-held", ({ stream, held }) => told.push([stream, held]));
    await shown(400);
    answered.video?.hold();
    await world.clock.advance(1_000);
    expect(told).toEqual([
      [picture.id, true],
      [picture.id + 1, true],
    ]);
    const before = watched.units.length;
    await shown(400);
    expect(watched.units.length).toBe(before);
    expect(world.reported).toEqual([]);
  });

  it("is closed in both, and is open until the last is closed", async () => {
    const [, other] = call.streams.filter(({ modality }) => modality === "video");
    await world.during(other?.close() ?? Promise.resolve());
    expect([picture.state, other?.state]).toEqual(["open", "closed"]);
    await world.during(picture.close());
    await world.clock.advance(100);
    expect([picture.state, answered.video?.state]).toEqual(["closed", "closed"]);
    expect(call.streams.filter(({ modality }) => modality === "video")).toEqual([]);
    expect(world.reported).toEqual([]);
  });
});
