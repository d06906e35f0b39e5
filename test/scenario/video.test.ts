/** Pictures between two agents: access units out of files of other implementations, signed, verified, in order, and proved. */
import { describe, expect, it } from "vitest";
import { film, LAYERS, show, Watched } from "./showing.ts";
import { connected } from "./talking.ts";
import { World } from "./world.ts";

describe.each(["frame", "chain"] as const)("video in profile %s", (profile) => {
  it.each([
    ["vp8-layers", "vp8", LAYERS],
    ["vp9-layers", "vp9", LAYERS],
    ["av1-svt", "av1", undefined],
  ] as const)("arrives bit-exact and verified: %s", async (name, codec, layers) => {
    const world = new World();
    const ada = await world.agent("Ada");
    const bob = await world.agent("Bob");
    const options = {
      audio: { codecs: ["pcmu"] },
      video: { codecs: [codec] },
      profile,
      adaptation: false,
    } as const;
    const { call, answered } = await connected(world, ada, bob, options, options);
    const { units } = film(name, layers);
    const watched = new Watched(world, answered);
    expect(await show(world, call, units)).toEqual(units.map(() => "sent"));
    await world.clock.advance(500);
    expect(watched.units.map(({ data }) => data)).toEqual(units.map(({ data }) => data));
    expect(world.reported).toEqual([]);
  });
});
