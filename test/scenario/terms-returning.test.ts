/** Terms that both ends changed, over lost connections, restarts of the server and processes that are lost. */
import { describe, expect, it } from "vitest";
import type { OutgoingCallOptions } from "../../agent/call-options.ts";
import { bothAreHeard, end, hungUp, link, online, scene } from "./returning.ts";
import { connected, utterance } from "./talking.ts";
import { World } from "./world.ts";

const persistent: OutgoingCallOptions = { model: "persistent" };
const A_WHILE = 4_000;
const lower = { streams: [{ bitrate: 14_000 }] };

/** The server's process dies, and another one takes its place. */
async function restart(world: World): Promise<void> {
  await world.server.close();
  await world.stopServer();
  await world.clock.advance(500);
  world.startServer();
}

describe("terms that both ends changed", () => {
  it("hold over a restart of the server, after others and a narrowing, and go on from there", async () => {
    const { world, ada, bob } = await scene(persistent);
    await world.during(ada.call.propose({ streams: [{ bitrate: 10_000 }] }));
    await world.during(bob.call.propose({ streams: [{ bitrate: 20_000 }] }));
    const voice = (ada.call.terms.legs[0]?.scope ?? []).filter((token) => token.includes("audio"));
    await world.during(ada.call.narrow(voice));
    const agreed = await world.during(ada.call.propose(lower, "thin"));
    await restart(world);
    await world.clock.advance(A_WHILE);
    expect(agreed).toMatchObject({ number: 5, settings: [{ bitrate_bps: 14_000 }, { bitrate_bps: 20_000 }] });
    expect([ada.call.terms, bob.call.terms]).toEqual([agreed, agreed]);
    await bothAreHeard(world, ada, bob);
    const next = await world.during(bob.call.propose({ streams: [{ leg: 0, bitrate: 12_000 }] }));
    await world.clock.advance(200);
    expect(next).toMatchObject({ number: 6 });
    expect(ada.call.terms).toEqual(next);
    await hungUp(world, ada.call, bob.call);
    expect(world.reported).toEqual([]);
  });

  it.each([0, 10, 30, 50, 70, 90])(
    "are the same at both ends, and at the server, when the connection of who asked breaks %i ms later",
    async (lead) => {
      const { world, ada, bob } = await scene(persistent);
      const asked = ada.call.propose(lower).catch(() => undefined);
      await world.clock.advance(lead);
      ada.way.isDown = true;
      ada.way.cut();
      await world.clock.advance(1_000);
      ada.way.isDown = false;
      await world.clock.advance(10_000);
      await world.during(asked);
      expect(ada.call.terms).toEqual(bob.call.terms);
      const after = await world.during(bob.call.propose({ streams: [{ bitrate: 18_000 }] }));
      await world.clock.advance(200);
      expect(ada.call.terms).toEqual(after);
      await hungUp(world, ada.call, bob.call);
      expect(world.reported).toEqual([]);
    },
  );

  it.each([0, 30, 60, 90])(
    "are the same at both ends when the connection of who is asked breaks %i ms later",
    async (lead) => {
      const { world, ada, bob } = await scene(persistent);
      const asked = ada.call.propose(lower).catch(() => undefined);
      await world.clock.advance(lead);
      bob.way.isDown = true;
      bob.way.cut();
      await world.clock.advance(1_000);
      bob.way.isDown = false;
      await world.clock.advance(10_000);
      await world.during(asked);
      expect(bob.call.terms).toEqual(ada.call.terms);
      await bothAreHeard(world, ada, bob);
      await hungUp(world, ada.call, bob.call);
      expect(world.reported).toEqual([]);
    },
  );

  it("are known to a fresh process of an end, and its voice keeps to them", async () => {
    const world = new World({ toServer: link, toClient: link });
    const identity = world.identity({ name: "Ada" });
    const first = await online(world, "Ada", { identity, reconnect: false });
    const other = await online(world, "Bob");
    const { call, answered } = await connected(world, first.agent, other.agent, persistent);
    const bob = end(other, answered);
    await world.during(call.propose({ streams: [{ bitrate: 10_000 }] }));
    const agreed = await world.during(call.propose({ streams: [{ leg: 1, bitrate: 12_000 }] }));
    first.way.cut();
    await world.clock.advance(1_000);
    const again = await online(world, "Ada", { identity });
    const ada = end(again, await world.during(again.agent.takeUp(call.id)));
    await world.clock.advance(200);
    expect([ada.call.terms, bob.call.terms]).toEqual([agreed, agreed]);
    await bothAreHeard(world, ada, bob);
    const before = ada.call.stats().sent?.bytes ?? 0;
    void ada.call.audio.write(utterance(2, 48_000)).catch(() => undefined);
    await world.clock.advance(1_000);
    // At 32 kbit/s the payloads alone would be 4,000 bytes.
    const bytes = (ada.call.stats().sent?.bytes ?? 0) - before - 50 * 106;
    expect(bytes).toBeLessThan(2_200);
    await hungUp(world, bob.call, ada.call);
    expect(world.reported).toEqual([]);
  });
});
