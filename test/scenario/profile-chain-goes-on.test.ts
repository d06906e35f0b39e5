/** Calls of profile `chain` that lose connections and processes, are interrupted, carry redundancy and data. */
import { beforeEach, describe, expect, it } from "vitest";
import type { AgentIdentity } from "../../agent/identity.ts";
import { bothAreHeard, count, type End, end, hungUp, link, online, upTo } from "./returning.ts";
import { connected, Recording, say } from "./talking.ts";
import { World } from "./world.ts";

let world: World;
let identities: { readonly ada: AgentIdentity; readonly bob: AgentIdentity };
let ada: End;
let bob: End;

beforeEach(async () => {
  world = new World({ toServer: link, toClient: link });
  identities = { ada: world.identity({ name: "Ada" }), bob: world.identity({ name: "Bob" }) };
  const [first, second] = [
    await online(world, "Ada", { identity: identities.ada }),
    await online(world, "Bob", { identity: identities.bob }),
  ];
  const options = { profile: "chain", data: true, model: "persistent" } as const;
  const { call, answered } = await connected(world, first.agent, second.agent, options, {});
  ada = end(first, call);
  bob = end(second, answered);
});

/** Another process of an agent, which has nothing but the identity, goes on with its call. */
async function takenUp(name: "Ada" | "Bob"): Promise<End> {
  const identity = name === "Ada" ? identities.ada : identities.bob;
  const process = await online(world, name, { identity });
  return end(process, await world.during(process.agent.takeUp(ada.call.id)));
}

const nothingWrong = { refused: {}, unattributed: 0, checkpoints: { bad: 0, contradicted: 0 } };

describe("a call of profile chain", () => {
  it("goes on over another connection with the same keys: nothing is refused, nothing unattributed", async () => {
    await bothAreHeard(world, ada, bob);
    ada.way.cut();
    await world.clock.advance(4_000);
    expect(ada.call.state).toBe("active");
    await bothAreHeard(world, ada, bob);
    await world.clock.advance(3_000);
    for (const { call } of [ada, bob]) expect(call.stats().heard).toMatchObject(nothingWrong);
    await hungUp(world, ada.call, bob.call);
    expect(world.reported).toEqual([]);
  });

  it.each(["Ada", "Bob"] as const)(
    "is taken up by another process of %s: both directions have new keys",
    async (name) => {
      await bothAreHeard(world, ada, bob);
      await world.during(Promise.all([count(world, ada.call, 5), count(world, bob.call, 5)]));
      // What is said is stated within the second; a process that is killed before leaves words that nobody stated.
      await world.clock.advance(1_500);
      const lost = name === "Ada" ? ada : bob;
      lost.way.isDown = true;
      lost.way.cut();
      await world.clock.advance(500);
      const next = await takenUp(name);
      if (name === "Ada") ada = next;
      else bob = next;
      await world.clock.advance(200);
      await bothAreHeard(world, ada, bob);
      await world.during(Promise.all([count(world, ada.call, 5), count(world, bob.call, 5)]));
      await world.clock.advance(3_000);
      // What the process before had, and had not signed a receipt for, may come again: nobody else can say that it was read.
      expect(next.told.slice(-5)).toEqual(upTo(5));
      for (const { call } of [ada, bob]) expect(call.stats().heard).toMatchObject(nothingWrong);
      await hungUp(world, ada.call, bob.call);
      expect(world.reported).toEqual([]);
    },
  );

  it("sends anew to another process of the listener what was on its way to the one before, whose tags it cannot check", async () => {
    bob.way.isDown = true;
    bob.way.cut();
    await world.clock.advance(100);
    const sending = Promise.all(upTo(5).map((value) => ada.call.data?.send(value)));
    await world.clock.advance(1_000);
    bob = await takenUp("Bob");
    await world.during(sending);
    await world.clock.advance(1_000);
    expect(bob.told).toEqual(upTo(5));
    await hungUp(world, ada.call, bob.call);
  });

  it("is interrupted: nothing of the old epoch is heard, what follows is attributed", async () => {
    const recording = new Recording(bob.call);
    const said = ada.call.audio.write(new Int16Array(48_000 * 5).fill(4_000));
    await world.clock.advance(2_500);
    await world.during(bob.call.interrupt());
    await world.during(said);
    const before = recording.count("speech");
    await say(world, ada.call, 2);
    await world.clock.advance(2_500);
    expect(recording.count("speech") - before).toBeGreaterThan(95);
    expect(bob.call.stats().heard).toMatchObject({
      unattributed: 0,
      isStopped: false,
      checkpoints: { bad: 0, contradicted: 0 },
    });
    await hungUp(world, ada.call, bob.call);
  });

  it("carries data in the same profile, read in order and attributed", async () => {
    await world.during(count(world, ada.call, 10));
    await world.clock.advance(3_000);
    await world.during(count(world, ada.call, 10));
    await world.clock.advance(3_000);
    expect(bob.told).toEqual([...upTo(10), ...upTo(10)]);
    expect(bob.call.stats().data?.heard).toMatchObject({ verified: 20, ...nothingWrong, isStopped: false });
    await hungUp(world, ada.call, bob.call);
  });
});
