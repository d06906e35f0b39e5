/** Sessions that another process of the same agent goes on with. */
import { beforeEach, describe, expect, it } from "vitest";
import type { AgentIdentity } from "../../agent/identity.ts";
import { scopeOf } from "../../signaling/narrowing.ts";
import { bothAreHeard, count, type End, end, hungUp, judged, link, online, upTo } from "./returning.ts";
import { connected, Recording, refusal, say, utterance } from "./talking.ts";
import { World } from "./world.ts";

let world: World;
let identity: AgentIdentity;
let first: End;
let bob: End;

/** Another process of Ada, which has nothing but the identity. */
async function second(inbox?: string) {
  return await online(world, "Ada", { identity, ...(inbox === undefined ? {} : { inbox }) });
}

async function takenUp(inbox?: string): Promise<End> {
  const process = await second(inbox);
  return end(process, await world.during(process.agent.takeUp(first.call.id)));
}

beforeEach(async () => {
  world = new World({ toServer: link, toClient: link });
  identity = world.identity({ name: "Ada" });
  const ada = await online(world, "Ada", { identity, reconnect: false });
  const other = await online(world, "Bob");
  const options = { data: true, model: "persistent" } as const;
  const { call, answered } = await connected(world, ada.agent, other.agent, options, { data: true });
  first = end(ada, call);
  bob = end(other, answered);
});

describe("a session whose process is lost", () => {
  it("goes on in a fresh one with the identity alone: heard both ways, and proved in the evidence", async () => {
    await bothAreHeard(world, first, bob);
    await world.during(count(world, first.call, 10));
    first.way.cut();
    await world.clock.advance(1_000);
    expect(await first.call.ended).toEqual({ reason: "connection-lost", by: "server" });
    const { agent, way } = await second();
    const listed = {
      sessionId: first.call.id,
      leg: 0,
      state: "detached",
      model: "persistent",
      peer: bob.agent.id,
    };
    expect(await world.during(agent.sessions())).toMatchObject([
      { ...listed, attached: false, generation: 0 },
    ]);
    const ada = end({ agent, way }, await world.during(agent.takeUp(first.call.id)));
    await world.clock.advance(100);
    expect(ada.call.peer).toEqual(first.call.peer);
    expect([ada.call.leg, ada.call.state, ada.agent.calls]).toEqual([0, "active", [ada.call]]);
    expect(await world.during(agent.takeUp(ada.call.id))).toBe(ada.call);
    expect(bob.events).toEqual(["peer-detached", "peer-attached", "peer-attached"]);
    await bothAreHeard(world, ada, bob);
    await world.during(Promise.all([count(world, ada.call, 10), count(world, bob.call, 10)]));
    await world.clock.advance(200);
    expect([bob.told, ada.told]).toEqual([[...upTo(10), ...upTo(10)], upTo(10)]);
    // The numbers that a new key passes over are not taken for losses.
    expect(bob.call.stats().heard?.lost).toBe(0);
    expect(bob.call.stats().data?.heard?.missing).toBe(0);
    await hungUp(world, ada.call, bob.call);
    expect(world.reported).toEqual([]);
  });

  it("is interrupted, narrowed and suspended as before, and goes on so", async () => {
    void first.call.audio.write(utterance(5, 48_000)).catch(() => undefined);
    await world.clock.advance(500);
    await world.during(bob.call.interrupt());
    const voice = scopeOf(bob.call.terms, 1).filter((token) => token.includes("audio"));
    await world.during(bob.call.narrow(voice));
    const { nonce } = await world.during(first.call.suspend({ reason: "awaiting_input" }));
    await world.clock.advance(100);
    first.way.cut();
    await world.clock.advance(1_000);
    const ada = await takenUp();
    expect(ada.call.suspended).toMatchObject({ reason: "awaiting_input", nonce });
    expect(ada.call.terms).toEqual(bob.call.terms);
    await world.during(ada.call.resume());
    await world.clock.advance(100);
    await bothAreHeard(world, ada, bob);
    expect(await refusal(world, bob.call.data?.send("not any more") ?? Promise.resolve())).toBe(
      "scope-violation",
    );
    const told: unknown[] = [];
    bob.call.on("interrupted", (event) => told.push(event));
    void bob.call.audio.write(utterance(3, 48_000)).catch(() => undefined);
    await world.clock.advance(500);
    await world.during(ada.call.interrupt());
    await world.clock.advance(100);
    expect(told).toMatchObject([{ epoch: 1, by: ada.agent.id }]);
    await bothAreHeard(world, ada, bob);
    await hungUp(world, bob.call, ada.call);
    expect(world.reported).toEqual([]);
  });

  it("may be taken up again and again, its connection lost between", async () => {
    for (let times = 1; times <= 3; times += 1) {
      first.way.isDown = true;
      first.way.cut();
      await world.clock.advance(200);
      first = await takenUp();
      await bothAreHeard(world, first, bob);
      first.way.cut();
      await world.clock.advance(3_000);
      expect(first.call.state).toBe("active");
    }
    await bothAreHeard(world, first, bob);
    await hungUp(world, first.call, bob.call);
    expect(world.reported).toEqual([]);
  });

  it("stays with the process that has it when its media keys are used up", async () => {
    for (let times = 1; times <= 15; times += 1) first = await takenUp();
    const late = await second("late");
    const { state } = first.call;
    expect([await refusal(world, late.agent.takeUp(first.call.id)), state]).toEqual([
      "generations-exhausted",
      "active",
    ]);
    await world.clock.advance(1_000);
    await bothAreHeard(world, first, bob);
    await hungUp(world, first.call, bob.call);
    expect(world.reported).toEqual([]);
  });

  it("plays nothing at the other end of what the one before was still saying, and no click where the new one begins", async () => {
    void first.call.audio.write(utterance(5, 48_000)).catch(() => undefined);
    await world.clock.advance(1_000);
    const ada = await takenUp("tab");
    const before = bob.heard.frames.length;
    await say(world, ada.call, 0.5);
    await world.clock.advance(300);
    const after = bob.heard.frames.slice(before).filter(({ kind }) => kind === "speech");
    const sequences = after.map((frame) => (frame.kind === "speech" ? frame.sequence : 0));
    expect(Math.min(...sequences) - 65_536).toBeGreaterThan(0);
    expect(sequences).toEqual([...sequences].sort((a, b) => a - b));
    expect((sequences.at(-1) ?? 0) - (sequences[0] ?? 0)).toBeLessThan(40);
    const steps = bob.heard.pcm().map((sample, at, all) => Math.abs(sample - (all[at - 1] ?? sample)));
    expect(Math.max(...steps)).toBeLessThan(4_000);
  });
});

describe("a session that another process of the agent has", () => {
  it("ends there as moved, while that agent stays online, and not at the other end", async () => {
    const ada = await takenUp("tab");
    await world.clock.advance(100);
    expect(await first.call.ended).toEqual({ reason: "moved", by: "me" });
    expect([first.agent.isOnline, first.agent.calls]).toEqual([true, []]);
    await bothAreHeard(world, ada, bob);
    // And back.
    first.call = await world.during(first.agent.takeUp(ada.call.id));
    await world.clock.advance(100);
    expect(await ada.call.ended).toEqual({ reason: "moved", by: "me" });
    await world.during(first.call.end("goodbye"));
    await world.during(bob.call.settled);
    expect(await bob.call.ended).toEqual({ reason: "goodbye", by: "peer" });
    expect(await judged(world, bob.call)).toEqual({ verdict: "verified", faults: [], vanished: [] });
    expect(world.reported).toEqual([]);
  });

  it("is taken up over another carrier, whose media has connections of its own, and back", async () => {
    const process = await world.agent("Ada", { identity, inbox: "tls", reconnect: true }, world.separate);
    const call = await world.during(process.takeUp(first.call.id));
    const ada = { call, heard: new Recording(call) };
    await world.clock.advance(100);
    expect(await first.call.ended).toEqual({ reason: "moved", by: "me" });
    await bothAreHeard(world, ada, bob);
    first.call = await world.during(first.agent.takeUp(call.id));
    await world.clock.advance(100);
    expect(await call.ended).toEqual({ reason: "moved", by: "me" });
    await bothAreHeard(world, { call: first.call, heard: new Recording(first.call) }, bob);
    await hungUp(world, bob.call, first.call);
    expect(world.server.overview().connections.tls ?? 0, "media connections are closed").toBeLessThan(3);
    expect(world.server.sizes().media).toMatchObject({ sessions: 0, mediaFlows: 0, kept: 0 });
    expect(world.reported).toEqual([]);
  });

  it("ends there as replaced where the other process takes its inbox", async () => {
    const { agent } = await second();
    await world.clock.advance(100);
    expect(await first.call.ended).toEqual({ reason: "replaced", by: "me" });
    const call = await world.during(agent.takeUp(first.call.id));
    expect([call.state, bob.call.state]).toEqual(["active", "active"]);
  });

  it("stays there when the one that had it before comes back", async () => {
    first.way.cut();
    await world.clock.advance(100);
    let older = await takenUp("old");
    const newer = await takenUp("new");
    await world.clock.advance(100);
    expect(await older.call.ended).toEqual({ reason: "moved", by: "me" });
    // One that was away and has not heard of it.
    older = newer;
    older.way.isDown = true;
    older.way.cut();
    await world.clock.advance(500);
    const newest = await takenUp("newest");
    expect(older.call.state).toBe("detached");
    older.way.isDown = false;
    await world.clock.advance(3_000);
    expect(await older.call.ended).toEqual({ reason: "moved", by: "me" });
    await bothAreHeard(world, newest, bob);
    expect(world.reported).toEqual([]);
  });

  it("is another's: nobody else finds or takes it", async () => {
    const { agent } = await online(world, "Eve");
    expect(await world.during(agent.sessions())).toEqual([]);
    expect(await refusal(world, agent.takeUp(first.call.id))).toBe(`session-not-found at ${first.call.id}`);
    expect(first.call.state).toBe("active");
  });
});
