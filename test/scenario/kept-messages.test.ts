/** Data messages on their way when networks go dark, ends stay away and servers are killed: all arrive, once and in order. */
import { describe, expect, it } from "vitest";
import { count, type End, end, hungUp, link, online, scene, upTo } from "./returning.ts";
import { connected } from "./talking.ts";
import { World } from "./world.ts";

const persistent = { model: "persistent" } as const;

/** A call over networks that can go dark, reliably: what is sent meanwhile is taken, and goes with the connection. */
async function darkening(model: "persistent" | "bounded") {
  const dark = { toServer: false, toClient: false };
  const way = (name: keyof typeof dark) => ({
    ...link,
    reliable: (_bytes: number, now: number) => now + (dark[name] ? 100_000 : 20),
  });
  const world = new World({ toServer: way("toServer"), toClient: way("toClient") });
  const [first, second] = [await online(world, "Ada"), await online(world, "Bob")];
  const options = { data: true, model };
  const { call, answered } = await connected(world, first.agent, second.agent, options, { data: true });
  return { world, dark, ada: end(first, call), bob: end(second, answered) };
}

/** Sends numbers, so many a second. */
async function countFast(
  world: World,
  { call }: Pick<End, "call">,
  numbers: number,
  perSecond: number,
): Promise<void> {
  for (let number = 0; number < numbers; number += 1) {
    await call.data?.send(number);
    await new Promise<void>((resolve) => world.clock.at(world.clock.now() + 1000 / perSecond, resolve));
  }
}

async function kill(world: World, downtime: number): Promise<void> {
  await world.server.close();
  await world.stopServer();
  await world.clock.advance(downtime);
  world.startServer();
}

describe("a server that is killed", () => {
  it("and back when messages are too old to go as they were has every message read once", async () => {
    const { world, ada, bob } = await scene(persistent);
    const counted = Promise.all([count(world, ada.call, 60), count(world, bob.call, 60)]);
    await world.clock.advance(1_000);
    await kill(world, 30_000);
    await world.during(counted);
    await world.clock.advance(6_000);
    expect([ada.told, bob.told]).toEqual([upTo(60), upTo(60)]);
    await hungUp(world, ada.call, bob.call);
  });

  it("with messages that it had taken for a listener in the dark does not take them along", async () => {
    const { world, dark, ada, bob } = await darkening("persistent");
    await world.during(countFast(world, ada, 10, 100));
    await world.clock.advance(100);
    dark.toClient = true;
    const counted = countFast(world, ada, 800, 50);
    // Long enough for checkpoints that list them.
    await world.clock.advance(12_000);
    await kill(world, 3_000);
    dark.toClient = false;
    await world.during(counted);
    await world.clock.advance(20_000);
    expect(bob.told).toEqual([...upTo(10), ...upTo(800)]);
    await hungUp(world, ada.call, bob.call);
  });
});

describe("a server that is stopped in order, for longer than a message may be old", () => {
  it("has every message read once", async () => {
    const { world, ada, bob } = await scene(persistent);
    const counted = Promise.all([count(world, ada.call, 60), count(world, bob.call, 60)]);
    await world.clock.advance(1_000);
    await world.stopServer();
    await world.clock.advance(30_000);
    world.startServer();
    await world.during(counted);
    await world.clock.advance(6_000);
    expect([ada.told, bob.told]).toEqual([upTo(60), upTo(60)]);
    await hungUp(world, ada.call, bob.call);
  });
});

describe("a process that takes a call up after a restart", () => {
  it("begins right beyond what receipts have, and what its listener lacks of it arrives", async () => {
    const world = new World({ toServer: link, toClient: link });
    const identity = world.identity({ name: "Ada" });
    const [first, second] = [await online(world, "Ada", { identity }), await online(world, "Bob")];
    const options = { data: true, ...persistent };
    const { call, answered } = await connected(world, first.agent, second.agent, options, { data: true });
    const told: unknown[] = [];
    const sequences: number[] = [];
    void (async () => {
      for await (const { value, sequence } of answered.data ?? []) {
        told.push(value);
        sequences.push(sequence);
      }
    })();
    await world.during(countFast(world, { call }, 300, 100));
    await world.clock.advance(100);
    second.way.isDown = true;
    second.way.cut();
    const lost = first.agent.close();
    await kill(world, 500);
    await world.during(lost);
    const fresh = await online(world, "Ada", { identity, inbox: "fresh" });
    const taken = await world.during(fresh.agent.takeUp(call.id));
    const counted = countFast(world, { call: taken }, 10, 100);
    await world.clock.advance(40_000);
    second.way.isDown = false;
    await world.during(counted);
    await world.clock.advance(6_000);
    expect(told).toEqual([...upTo(300), ...upTo(10)]);
    const beyond = (sequences[300] ?? 0) - (sequences[299] ?? 0);
    expect(beyond).toBeGreaterThan(65_536 - 300);
    expect(beyond).toBeLessThanOrEqual(65_536);
    await hungUp(world, taken, answered);
  });
});

describe("a network that goes dark", () => {
  it.each(["persistent", "bounded"] as const)(
    "at the listener loses nothing at the highest rate (%s)",
    async (model) => {
      const { world, dark, ada, bob } = await darkening(model);
      dark.toClient = true;
      const counted = countFast(world, ada, 1_300, 100);
      await world.clock.advance(12_500);
      dark.toClient = false;
      bob.way.cut();
      ada.way.cut();
      await world.during(counted);
      await world.clock.advance(20_000);
      expect(bob.told).toEqual(upTo(1_300));
      await hungUp(world, ada.call, bob.call);
    },
  );

  it("at the speaker loses nothing at the highest rate", async () => {
    const { world, dark, ada, bob } = await darkening("persistent");
    dark.toServer = true;
    const counted = countFast(world, ada, 1_300, 100);
    await world.clock.advance(13_500);
    dark.toServer = false;
    bob.way.cut();
    ada.way.cut();
    await world.during(counted);
    await world.clock.advance(20_000);
    expect(bob.told).toEqual(upTo(1_300));
    await hungUp(world, ada.call, bob.call);
  });
});

describe("a listener that is away for longer than a message may be old", () => {
  it("gets what was said when it left, and what was said since", async () => {
    const { world, ada, bob } = await scene(persistent);
    bob.way.isDown = true;
    const counted = count(world, ada.call, 100);
    await world.clock.advance(500);
    bob.way.cut();
    await world.clock.advance(90_000);
    expect(ada.call.state).toBe("active");
    bob.way.isDown = false;
    await world.during(counted);
    await world.clock.advance(6_000);
    expect(bob.told).toEqual(upTo(100));
    await hungUp(world, ada.call, bob.call);
  });

  it("gets what it had no room for, at the pace of its reader", async () => {
    const world = new World({ toServer: link, toClient: link });
    const [ada, bob] = [await online(world, "Ada"), await online(world, "Bob")];
    const { call, answered } = await connected(world, ada.agent, bob.agent, { data: true }, { data: true });
    const counted = countFast(world, { call }, 1_100, 100);
    const told: unknown[] = [];
    const read = (async () => {
      for await (const { value } of answered.data ?? []) {
        told.push(value);
        if (told.length === 1_100) return;
        await new Promise<void>((resolve) => world.clock.at(world.clock.now() + 50, resolve));
      }
    })();
    await world.during(Promise.all([counted, read]));
    expect(told).toEqual(upTo(1_100));
    await hungUp(world, call, answered);
  });

  it("gets what was on its way to it in the dark", async () => {
    const { world, dark, ada, bob } = await darkening("persistent");
    dark.toClient = true;
    const counted = countFast(world, ada, 200, 50);
    await world.clock.advance(3_000);
    bob.way.isDown = true;
    bob.way.cut();
    await world.clock.advance(90_000);
    dark.toClient = false;
    bob.way.isDown = false;
    ada.way.cut();
    await world.during(counted);
    await world.clock.advance(10_000);
    expect(bob.told).toEqual(upTo(200));
    await hungUp(world, ada.call, bob.call);
  });
});
