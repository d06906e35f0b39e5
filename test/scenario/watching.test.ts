import { describe, expect, it } from "vitest";
import type { FrameFate } from "../../agent/frame-fate.ts";
import { Link, PRESETS } from "../../src/emulation/link.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { connected, say } from "./talking.ts";
import { World } from "./world.ts";

const tally = (fates: readonly FrameFate[]) => {
  const counts: Record<string, number> = {};
  for (const { direction, fate, reason } of fates) {
    const name = reason === undefined ? `${direction} ${fate}` : `${direction} ${fate} ${reason}`;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
};

async function watched(world: World, outgoing?: (packet: Uint8Array) => void) {
  const speaker: FrameFate[] = [];
  const listener: FrameFate[] = [];
  const pair = await connected(
    world,
    await world.agent("Ada"),
    await world.agent("Bob"),
    {
      watch: (fate) => speaker.push(fate),
      ...(outgoing === undefined ? {} : { outgoing }),
    },
    { watch: (fate) => listener.push(fate) },
  );
  return { ...pair, speaker, listener };
}

describe("watching the frames of a call", () => {
  it("tells of each frame sent and verified, by number, with its level", async () => {
    const world = new World();
    const { call, speaker, listener } = await watched(world);
    const from = world.clock.now();
    await say(world, call, 1);
    await world.clock.advance(200);
    expect(tally(speaker)).toEqual({ "sent sent": 51 });
    expect(tally(listener)).toEqual({ "heard verified": 51 });
    expect(listener.map(({ sequence }) => sequence)).toEqual(speaker.map(({ sequence }) => sequence));
    expect(listener.map(({ level }) => level)).toEqual(speaker.map(({ level }) => level));
    expect(speaker[5]?.level).toBeGreaterThan(5);
    expect(speaker[5]?.level).toBeLessThan(30);
    expect(new Set([...speaker, ...listener].map(({ stream }) => stream))).toEqual(new Set([1]));
    for (const { at } of [...speaker, ...listener]) {
      expect(at).toBeGreaterThanOrEqual(from);
      expect(at).toBeLessThanOrEqual(world.clock.now());
    }
  });

  it("tells both ends which altered frames the relay refused, and why", async () => {
    const world = new World();
    let packets = 0;
    const { call, answered, speaker, listener } = await watched(world, (packet) => {
      packets += 1;
      const last = packet.length - 1;
      if (packets === 10) packet[last] = (packet[last] as number) ^ 1;
    });
    await say(world, call, 1);
    await world.clock.advance(500);
    const refused = speaker.filter(({ fate }) => fate === "refused");
    expect(refused).toMatchObject([{ direction: "sent", reason: "signature", stream: 1 }]);
    expect(refused[0]?.sequence).toBe(speaker[9]?.sequence);
    expect(tally(listener)).toMatchObject({ "heard verified": 50, "heard refused signature": 1 });
    expect(answered.stats().heard).toMatchObject({ expected: 51, lost: 1 });
    expect(world.reported).toEqual([]);
  });

  it("tells what came late and what was made up, and loss and delay can be read while it goes on", async () => {
    const world = new World({
      toServer: new Link(PRESETS.congested, new SeededRandom(5)),
      toClient: new Link(PRESETS.congested, new SeededRandom(6)),
    });
    const { call, answered, listener } = await watched(world);
    await say(world, call, 6);
    await world.clock.advance(1_000);
    const { heard } = answered.stats();
    const counts = tally(listener);
    expect(counts["heard concealed"]).toBe(heard?.concealed);
    expect(counts["heard late"] ?? 0).toBe(heard?.late);
    expect((counts["heard verified"] ?? 0) + (counts["heard late"] ?? 0)).toBe(heard?.verified);
    expect(heard?.lost).toBeGreaterThan(5);
    expect(heard?.lost).toBe((heard?.expected ?? 0) - (heard?.verified ?? 0));
    expect(heard?.delay).toBeGreaterThan(0);
  });

  it("goes on when a watcher throws, and reports it", async () => {
    const world = new World();
    const failure = new Error("no canvas");
    const fail = () => {
      throw failure;
    };
    const pair = await connected(world, await world.agent("Ada"), await world.agent("Bob"), {
      watch: fail,
      outgoing: fail,
    });
    await say(world, pair.call, 0.5);
    await world.clock.advance(100);
    expect(pair.answered.stats().heard?.verified).toBe(26);
    expect(new Set(world.reported)).toEqual(new Set([failure]));
  });
});

describe("the directory", () => {
  it("lists who can be called", async () => {
    const world = new World();
    const ada = await world.agent("Ada");
    const bob = await world.agent("Bob");
    await world.during(bob.close());
    const listed = await world.during(ada.directory());
    expect([...listed].sort((a, b) => (a.name < b.name ? -1 : 1))).toEqual([
      { agentId: ada.id, name: "Ada", online: true },
      { agentId: bob.id, name: "Bob", online: false },
    ]);
    expect(listed.map(({ agentId }) => agentId)).toEqual(listed.map(({ agentId }) => agentId).sort());
  });
});
