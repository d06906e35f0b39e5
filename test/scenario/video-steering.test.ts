/** Pictures of a call that is muted, suspended, narrowed, moved to another connection, or watched late: they go on with a key frame, and nothing comes that cannot be decoded. */
import { describe, expect, it } from "vitest";
import type { HeardVideo } from "../../agent/heard-video.ts";
import { link, online } from "./returning.ts";
import { Camera, Watched } from "./showing.ts";
import { connected } from "./talking.ts";
import { World } from "./world.ts";

const WITH_VIDEO = {
  audio: { codecs: ["pcmu"] },
  video: { codecs: ["vp8"], maxWidth: 160, maxHeight: 90 },
  adaptation: false,
} as const;

async function shown(profile: "frame" | "chain" = "frame") {
  const world = new World({ toServer: link, toClient: link });
  const ada = await online(world, "Ada");
  const bob = await online(world, "Bob");
  const pair = await connected(
    world,
    ada.agent,
    bob.agent,
    { ...WITH_VIDEO, profile },
    { ...WITH_VIDEO, profile },
  );
  const camera = new Camera(world, pair.call);
  return { world, ada, bob, ...pair, camera };
}

/** Every unit is a key frame, or follows right on the one before it. */
function isDecodable(units: readonly HeardVideo[]): boolean {
  return units.every((unit, at) => unit.key || unit.sequence === (units[at - 1]?.sequence ?? -1) + 1);
}

describe("a picture", () => {
  it.each(["frame", "chain"] as const)(
    "is not sent while it is muted, and the voice is left alone (%s)",
    async (profile) => {
      const { world, call, answered } = await shown(profile);
      const watched = new Watched(world, answered);
      await world.clock.advance(1_000);
      const asked = answered.video?.stats().heard[0]?.keyFramesAsked;
      call.video?.mute();
      await world.clock.advance(100);
      const before = watched.units.length;
      await world.clock.advance(1_000);
      expect(watched.units.length).toBe(before);
      expect([call.audio.muted, call.video?.muted]).toEqual([false, true]);
      call.video?.unmute();
      await world.clock.advance(1_000);
      expect(watched.units.length).toBeGreaterThan(before + 10);
      expect(watched.units[before]?.key).toBe(true);
      expect(isDecodable(watched.units)).toBe(true);
      // Who unmutes shows a key frame unasked.
      expect(answered.video?.stats().heard[0]?.keyFramesAsked).toBe(asked);
      expect(world.reported).toEqual([]);
    },
  );

  it("is not shown while the call is suspended, and goes on with a key frame", async () => {
    const { world, call, answered } = await shown();
    const watched = new Watched(world, answered);
    await world.clock.advance(1_000);
    await world.during(answered.suspend());
    await world.clock.advance(100);
    const before = watched.units.length;
    await world.clock.advance(2_000);
    expect(watched.units.length).toBe(before);
    expect(call.video?.stats().sent[0]?.leftOut.paused).toBeGreaterThan(20);
    await world.during(answered.resume());
    await world.clock.advance(1_000);
    expect(watched.units.length).toBeGreaterThan(before + 10);
    expect(watched.units[before]?.key).toBe(true);
    expect(isDecodable(watched.units)).toBe(true);
    expect(world.reported).toEqual([]);
  });

  it("stops where its speaker gives up the right to it, and the voice goes on", async () => {
    const { world, call, answered } = await shown();
    const watched = new Watched(world, answered);
    await world.clock.advance(500);
    const audible = (call.terms.legs[0]?.scope ?? []).filter((token) => token.includes("audio"));
    await world.during(call.narrow(audible));
    await world.clock.advance(200);
    const before = watched.units.length;
    await world.during(call.audio.write(new Int16Array(8_000)));
    await world.clock.advance(500);
    expect(watched.units.length).toBe(before);
    expect(answered.stats().heard?.verified).toBeGreaterThan(20);
    expect(answered.video?.stats().heard[0]?.refused).toEqual({});
    expect(world.reported).toEqual([]);
  });

  it.each(["speaker", "listener"] as const)(
    "goes on with a key frame when the %s has another connection",
    async (who) => {
      const { world, ada, bob, call, answered } = await shown();
      const watched = new Watched(world, answered);
      await world.clock.advance(1_000);
      const { way } = who === "speaker" ? ada : bob;
      way.cut();
      // What was on its way has come, and no connection can be back yet, however soon it is tried.
      await world.clock.advance(100);
      const before = watched.units.length;
      await world.clock.advance(4_400);
      expect([call.state, answered.state]).toEqual(["active", "active"]);
      expect(watched.units.length).toBeGreaterThan(before + 20);
      expect(watched.units[before]?.key).toBe(true);
      expect(isDecodable(watched.units)).toBe(true);
      expect(world.reported).toEqual([]);
    },
  );

  it("that does not come is asked for ever more seldom, on record more seldom still, and not while it is muted", async () => {
    const { world, call, answered, camera } = await shown();
    camera.off();
    const recorded: number[] = [];
    call.on("keyframe-wanted", () => recorded.push(world.clock.now()));
    const asked = () => answered.video?.stats().heard[0]?.keyFramesAsked ?? 0;
    new Watched(world, answered);
    await world.clock.advance(1_000);
    recorded.length = 0;
    answered.video?.requestKeyFrame();
    const before = asked();
    await world.clock.advance(60_000);
    expect(asked() - before).toBeGreaterThan(10);
    expect(asked() - before).toBeLessThan(17);
    expect(recorded.length).toBeGreaterThan(2);
    expect(recorded.length).toBeLessThan(7);
    call.video?.mute();
    await world.clock.advance(1_000);
    const [muted, mutedRecorded] = [asked(), recorded.length];
    await world.clock.advance(60_000);
    expect([asked(), recorded.length]).toEqual([muted, mutedRecorded]);
    call.video?.unmute();
    await world.clock.advance(2_000);
    expect(asked()).toBeGreaterThan(muted);
    expect(world.reported).toEqual([]);
  });

  it("that never begins or stops coming stands still, and one that is muted, held or closed does not", async () => {
    const { world, call, answered, camera } = await shown();
    new Watched(world, answered);
    const frozen = () => answered.video?.stats().frozenMs ?? 0;
    await world.clock.advance(3_000);
    expect(answered.video?.stats()).toMatchObject({ freezes: 0, frozenMs: 0 });
    expect(call.video?.stats().frozenMs).toBeGreaterThan(2_500);
    camera.off();
    await world.clock.advance(5_000);
    expect(answered.video?.stats().freezes).toBe(1);
    expect(frozen()).toBeGreaterThan(4_500);
    call.video?.mute();
    await world.clock.advance(500);
    const muted = frozen();
    await world.clock.advance(5_000);
    expect(frozen()).toBe(muted);
    call.video?.unmute();
    await world.clock.advance(4_000);
    expect(frozen()).toBeGreaterThan(muted + 3_500);
    answered.video?.hold();
    const held = frozen();
    await world.clock.advance(5_000);
    expect(frozen()).toBe(held);
    answered.video?.unhold();
    await world.during(call.video?.close() ?? Promise.resolve());
    await world.clock.advance(500);
    const closed = frozen();
    await world.clock.advance(5_000);
    expect(frozen()).toBe(closed);
    expect(world.reported).toEqual([]);
  });

  it("begins with a key frame for who watches late, and nothing is asked for before", async () => {
    const { world, call, answered, camera } = await shown();
    await world.clock.advance(10_000);
    expect(camera.keyFrames).toBe(1);
    expect(call.video?.stats().sent[0]?.keyFramesAsked).toBe(0);
    const watched = new Watched(world, answered);
    await world.clock.advance(1_000);
    expect(watched.units[0]?.key).toBe(true);
    expect(isDecodable(watched.units)).toBe(true);
    expect(camera.keyFrames).toBe(2);
  });
});
