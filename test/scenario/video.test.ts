/** Pictures between two agents: access units out of files of other implementations, signed, verified, in order, and proved. */
import { describe, expect, it } from "vitest";
import type { KeptFrame } from "../../codecs/kept-frames.ts";
import { parseVideoPayload } from "../../codecs/video-payload.ts";
import { verifyMedia } from "../../signaling/evidence/media.ts";
import { type JudgedEvidence, verifyEvidence } from "../../signaling/evidence/verify.ts";
import { strictVerifier } from "../keys.ts";
import { must } from "../signed-call.ts";
import { Camera, film, LAYERS, show, Watched } from "./showing.ts";
import { connected, say } from "./talking.ts";
import { World } from "./world.ts";

function judge(world: World, file: Uint8Array): JudgedEvidence {
  return verifyEvidence(file, { issuerKeys: [world.issuer.signer.publicKey], agentIds: [] }, strictVerifier);
}

describe.each(["frame", "chain"] as const)("video in profile %s", (profile) => {
  it.each([
    ["vp8-layers", "vp8", LAYERS],
    ["vp9-superframes", "vp9", undefined],
    ["av1-svt", "av1", undefined],
  ] as const)("arrives bit-exact and verified: %s", async (name, codec, layers) => {
    const world = new World();
    const [ada, bob] = [await world.agent("Ada"), await world.agent("Bob")];
    const { ivf, units } = film(name, layers);
    const { width: maxWidth, height: maxHeight } = ivf;
    const options = {
      audio: { codecs: ["pcmu"] },
      video: { codecs: [codec], maxWidth, maxHeight },
      profile,
      adaptation: false,
    } as const;
    const kept: KeptFrame[] = [];
    const { call, answered } = await connected(world, ada, bob, options, {
      ...options,
      tap: ({ leg, stream, bytes }) => kept.push({ leg, stream, packet: bytes.slice() }),
    });
    const watched = new Watched(world, answered);
    expect(await show(world, call, units)).toEqual(units.map(() => "sent"));
    await world.clock.advance(500);
    expect(watched.units.map(({ data }) => data)).toEqual(units.map(({ data }) => data));
    expect(watched.units[0]).toMatchObject({
      key: true,
      codec,
      width: maxWidth,
      height: maxHeight,
      speaker: ada.id,
    });
    if (layers !== undefined)
      expect(watched.units.map(({ layer }) => layer)).toEqual(units.map(({ layer }) => layer));
    await say(world, call, 0.2);
    await world.during(call.end());
    const judged = judge(world, await world.during(answered.evidence()));
    expect(judged.report).toMatchObject({ verdict: "verified", faults: [] });
    const picture = judged.report.streams.find(({ stream, leg }) => stream === call.video?.id && leg === 0);
    const { length } = units;
    expect(picture).toMatchObject({ frames: length, received: length, heard: length, closedBySpeaker: true });
    const { frames, faults } = verifyMedia(kept, judged, strictVerifier);
    expect([frames.length, faults]).toEqual([kept.length, []]);
    const proven = frames.filter(({ stream }) => stream === call.video?.id);
    expect(proven.map(({ payload }) => must(parseVideoPayload(codec, payload)).data)).toEqual(
      units.map(({ data }) => data),
    );
    expect(world.reported).toEqual([]);
  });
});

it("a reader that stands still has 120 units kept for it: when there is no room for more a key frame is asked for, and it goes on from there", async () => {
  const world = new World();
  const options = { audio: { codecs: ["pcmu"] }, video: { codecs: ["vp8"] }, adaptation: false } as const;
  const { call, answered } = await connected(
    world,
    await world.agent("Ada"),
    await world.agent("Bob"),
    {
      ...options,
      video: { ...options.video, direction: "sendonly", maxWidth: 160, maxHeight: 90 },
    },
    options,
  );
  const camera = new Camera(world, call);
  const reader = answered.video?.[Symbol.asyncIterator]();
  const first = await world.during(reader?.next() ?? Promise.reject(new Error("no video")));
  const last = first.value?.sequence ?? 0;
  await world.clock.advance(7_800);
  expect(camera.keyFrames).toBe(1);
  await world.clock.advance(1_000);
  expect(camera.keyFrames).toBe(2);
  const next = await world.during(reader?.next() ?? Promise.reject(new Error("no video")));
  expect(next.value).toMatchObject({ key: true });
  expect((next.value?.sequence ?? 0) - last).toBeGreaterThan(115);
  expect(answered.video?.stats().unread).toBeGreaterThan(100);
});
