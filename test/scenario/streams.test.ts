/** The streams of a call while it is up: opened, changed, muted, held and closed by either end, without touching the others. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Agent } from "../../agent/agent.ts";
import { connected, say } from "./talking.ts";
import { World } from "./world.ts";

const WITH_DATA = { audio: { codecs: ["pcmu"] }, data: true } as const;

describe("the streams of a call", () => {
  let world: World;
  let ada: Agent;
  let bob: Agent;

  beforeEach(async () => {
    world = new World();
    ada = await world.agent("Ada");
    bob = await world.agent("Bob");
  });

  it("are listed at both ends", async () => {
    const { call, answered } = await connected(world, ada, bob, WITH_DATA);
    for (const end of [call, answered])
      expect(end.streams.map(({ id, modality, direction }) => [id, modality, direction])).toEqual([
        [1, "audio", "sendrecv"],
        [2, "data", "sendrecv"],
      ]);
  });

  it("are muted one by one: a voice is thrown away meanwhile, data waits", async () => {
    const { call, answered } = await connected(world, ada, bob, WITH_DATA);
    const [voice, data] = call.streams;
    const heard: unknown[] = [];
    void (async () => {
      for await (const { value } of answered.data ?? []) heard.push(value);
    })();
    voice?.mute();
    await world.during(Promise.all([say(world, call, 0.2), call.data?.send("beside a muted voice")]));
    expect([heard, answered.stats().heard?.verified ?? 0]).toEqual([["beside a muted voice"], 0]);
    voice?.unmute();
    data?.mute();
    const sent = call.data?.send("later");
    await say(world, call, 0.2);
    expect([heard.length, answered.stats().heard?.verified]).toEqual([1, 11]);
    data?.unmute();
    await world.during(sent ?? Promise.resolve());
    await world.clock.advance(50);
    expect(heard).toEqual(["beside a muted voice", "later"]);
    expect(world.reported).toEqual([]);
  });
});
