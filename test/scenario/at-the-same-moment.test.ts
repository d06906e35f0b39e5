/** Two that decide at the same moment, or too late: both always see the same, each with a reason. */
import { beforeAll, describe, expect, it } from "vitest";
import type { Agent } from "../../agent/agent.ts";
import type { Call } from "../../agent/call.ts";
import type { IncomingCall } from "../../agent/incoming-call.ts";
import type { ParleyError } from "../../codecs/parley-error.ts";
import { readRecord } from "../../signaling/attribution.ts";
import { RING_TIME } from "../../signaling/switchboard/ringing.ts";
import { Link } from "../../src/emulation/link.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { createMemoryLog } from "../../store/memory-log.ts";
import { must } from "../signed-call.ts";
import { connected } from "./talking.ts";
import { World } from "./world.ts";

// Codecs are loaded in real time: a first call that waits for them lets virtual time pass.
beforeAll(async () => {
  const world = new World();
  await connected(world, await world.agent("Ada"), await world.agent("Bob"));
});

/** Ada and Bob, 20 ms from the server, give or take 15: every seed has its own order of arrival. */
async function scene(seed: number) {
  const link = { delay: 20, jitter: 15 };
  const world = new World({
    toServer: new Link(link, new SeededRandom(2 * seed + 1)),
    toClient: new Link(link, new SeededRandom(2 * seed + 2)),
  });
  return { world, ada: await world.agent("Ada"), bob: await world.agent("Bob") };
}

function outcome(call: Promise<Call>): Promise<Call | string> {
  return call.catch((error: ParleyError) => error.code);
}

async function callAfter(world: World, wait: number, from: Agent, to: Agent): Promise<Call | string> {
  const { clock } = world;
  await new Promise<void>((resolve) => clock.at(clock.now() + wait, resolve));
  return await outcome(from.call(to.id));
}

describe("two agents that call each other", () => {
  it.each([0, 3, 8, 25, 60])("%d ms apart, in whatever order things arrive, are in one call", async (gap) => {
    for (let seed = 0; seed < 4; seed++) {
      const { world, ada, bob } = await scene(100 * gap + seed);
      const rings: IncomingCall[] = [];
      for (const agent of [ada, bob]) agent.onCall((incoming) => void rings.push(incoming));
      const both = Promise.all([callAfter(world, 0, ada, bob), callAfter(world, gap, bob, ada)]);
      const [mine, theirs] = (await world.during(both, 2_000)) as [Call, Call];
      expect([mine.id, mine.leg], `seed ${seed}`).toEqual([theirs.id, 1 - theirs.leg]);
      await world.clock.advance(200);
      expect([ada.calls, bob.calls]).toEqual([[mine], [theirs]]);
      // Nothing is left ringing at whoever was rung before it called itself.
      for (const { decided, cancelled } of rings) expect(decided || cancelled.aborted).toBe(true);
      expect(world.server.overview()).toMatchObject({ ringing: 0, sessions: { active: 1 } });
      expect(world.reported).toEqual([]);
    }
  });

  it("while one is rung at another of its inboxes get the call where it is answered first", async () => {
    const world = new World();
    const identity = world.identity({ name: "Bob" });
    const ada = await world.agent("Ada");
    const [phone, desk] = [
      await world.agent("Bob", { identity, inbox: "phone" }),
      await world.agent("Bob", { identity, inbox: "desk" }),
    ];
    desk.onCall(async (incoming) => void (await incoming.accept().catch(() => undefined)));
    const placed = Promise.all([outcome(ada.call(phone.id)), outcome(phone.call(ada.id))]);
    const [mine, theirs] = await world.during(placed);
    await world.clock.advance(100);
    expect(ada.calls).toEqual([mine]);
    const taken = [...phone.calls, ...desk.calls];
    expect(taken.map(({ id }) => id)).toEqual([(mine as Call).id]);
    expect(phone.calls.length === 1 ? (theirs as Call).id : theirs).toBe(
      phone.calls.length === 1 ? (mine as Call).id : "answered-elsewhere",
    );
    expect(world.reported).toEqual([]);
  });
});

describe("a callee that decides as the ringing ends", () => {
  it("has the call or has it not, as its caller has", async () => {
    for (let early = -20; early <= 60; early += 10) {
      const { world, ada, bob } = await scene(early + 20);
      const rings = new Promise<IncomingCall>((resolve) => bob.onCall(resolve));
      const placed = outcome(ada.call(bob.id));
      const incoming = await world.during(rings);
      // The offer came in up to 35 ms after the server began to count.
      await world.clock.advance(RING_TIME - 30 - early);
      const answered = outcome(incoming.accept());
      const [mine, theirs] = await world.during(Promise.all([placed, answered]));
      if (typeof mine === "string")
        expect([mine, theirs], `${early} ms early`).toEqual(["no-answer", "offer-dead"]);
      else expect((theirs as Call).id).toBe(mine.id);
      await world.clock.advance(200);
      const up = typeof mine === "string" ? 0 : 1;
      expect([ada.calls.length, bob.calls.length]).toEqual([up, up]);
    }
  });

  it.each(["no-answer", "cancelled"] as const)(
    "long after (%s) is told so, whatever it decides",
    async (reason) => {
      const { world, ada, bob } = await scene(1);
      const rings: IncomingCall[] = [];
      bob.onCall((incoming) => void rings.push(incoming));
      for (const decide of ["accept", "decline"] as const) {
        const abort = new AbortController();
        const placed = outcome(ada.call(bob.id, { signal: abort.signal }));
        await world.clock.advance(100);
        if (reason === "cancelled") abort.abort();
        expect(await world.during(placed)).toBe(reason);
        await world.clock.advance(60_000);
        const incoming = rings.at(-1) as IncomingCall;
        expect((incoming.cancelled.reason as ParleyError).code).toBe(reason);
        const told = decide === "accept" ? outcome(incoming.accept()) : incoming.decline();
        expect(await world.during(told)).toBe(decide === "accept" ? "offer-dead" : undefined);
      }
      expect(bob.calls).toEqual([]);
    },
  );
});

describe("two that hang up at once", () => {
  it("both have ended it or were told who did, in whatever order that arrives", async () => {
    for (let gap = 0; gap <= 60; gap += 12) {
      const { world, ada, bob } = await scene(gap);
      const { call: mine, answered } = await connected(world, ada, bob);
      const { clock } = world;
      const first = mine.end("bye");
      const second = new Promise<void>((resolve) => {
        clock.at(clock.now() + gap, () => resolve(answered.end("so-long")));
      });
      await world.during(Promise.all([first, second]));
      const ends = await world.during(Promise.all([mine.ended, answered.ended]));
      expect(["bye me", "so-long peer"], `${gap} ms apart`).toContain(`${ends[0].reason} ${ends[0].by}`);
      expect(["so-long me", "bye peer"], `${gap} ms apart`).toContain(`${ends[1].reason} ${ends[1].by}`);
      expect(world.reported).toEqual([]);
    }
  });
});

describe("why a call did not come about", () => {
  it("is in the records of both ends' exchanges, under the same name", async () => {
    const log = createMemoryLog();
    const world = new World({ log });
    const [ada, bob] = [await world.agent("Ada"), await world.agent("Bob")];
    const appended: string[] = [];
    const append = log.append.bind(log);
    log.append = (entries) => {
      for (const entry of entries) if (entry.kind === "record") appended.push(entry.jws);
      return append(entries);
    };
    const eventsOf = async (act: (incoming: IncomingCall) => Promise<unknown>) => {
      appended.length = 0;
      const rings = new Promise<IncomingCall>((resolve) => bob.onCall(resolve));
      const placed = outcome(ada.call(bob.id));
      await world.during(act(await world.during(rings)));
      await world.during(placed);
      await world.clock.advance(50);
      const records = appended.map((jws) => must(readRecord(jws)));
      return records.filter(({ extra }) => extra?.offer_id !== undefined).map(({ event }) => event);
    };
    expect(await eventsOf((incoming) => incoming.decline())).toEqual(["declined", "declined"]);
    expect(await eventsOf((incoming) => incoming.decline("busy"))).toEqual(["callee-busy", "callee-busy"]);
    expect(await eventsOf(() => world.clock.advance(RING_TIME))).toEqual(["no-answer"]);
  });
});
