/** Calls that come and go: a server's tables are as long after many as after few. */
import { expect, it } from "vitest";
import type { AgentIdentity } from "../../agent/identity.ts";
import type { Signer } from "../../codecs/signer.ts";
import { connected } from "./talking.ts";
import { World } from "./world.ts";

const PCMU = { audio: { codecs: ["pcmu"] } };
const ROUND_CALLS = 10;
/** Events wait for an agent a day: longer than anything else that is remembered. */
const A_DAY_AND_MORE_MS = 25 * 3_600_000;

it("keeps what a call left behind no longer than it says, and nothing else of it", async () => {
  const world = new World();
  const identities = ["Ada", "Bob"].map((name) => world.identity({ name }));
  const round = (calls: number) => callEachOther(world, identities as [Pair, Pair], calls);

  await round(ROUND_CALLS);
  // One session more a call, two entries for each offer, and an inbox for everybody who was here.
  expect(world.server.sizes()).toMatchObject({
    ...{ sessions: { live: 0, past: ROUND_CALLS }, offers: { ringing: 0, settled: 2 * ROUND_CALLS } },
    ...{ inboxes: { inboxes: 2, online: 0 }, connections: { up: 0 }, agents: 2, peers: 0 },
  });
  // What is remembered for a time goes when there is something new to remember.
  await world.clock.advance(A_DAY_AND_MORE_MS);
  await round(1);
  const few = world.server.sizes();

  for (let rounds = 0; rounds < 4; rounds += 1) await round(ROUND_CALLS);
  await world.clock.advance(A_DAY_AND_MORE_MS);
  await round(1);
  expect(world.server.sizes()).toEqual(few);
  expect(few).toEqual({
    sessions: { live: 0, agents: 0, connections: 0, routes: 0, flows: 0, past: 1 },
    offers: { ringing: 0, indexed: 0, settled: 2 },
    connections: { up: 0, agents: 0 },
    inboxes: { inboxes: 2, online: 0, inboxEvents: few.inboxes.inboxEvents },
    ...{ agents: 2, timers: 2, readings: 0, repeats: 0, rates: 4, peers: 0, inputs: 0, evidence: 0 },
    media: {
      sessions: 0,
      connections: 0,
      held: 0,
      reporting: 0,
      closing: 0,
      strays: 0,
      mediaFlows: 0,
      unread: 0,
      kept: 0,
      legs: 0,
      legFlows: 0,
      laid: 0,
      itemPaces: 0,
      unitWriters: 0,
      spokenVideo: 0,
      busyVideo: 0,
      renditionSwitches: 0,
      unitReaders: 0,
      activeLegs: 0,
    },
  });

  await world.clock.advance(A_DAY_AND_MORE_MS);
  expect(world.server.sizes()).toMatchObject({ inboxes: { inboxes: 0, inboxEvents: 0 }, timers: 0 });
  expect(world.clock.pending).toBe(0);
  expect(world.reported).toEqual([]);
}, 60_000);

type Pair = AgentIdentity<Signer>;

/** Both come, call each other so many times, and go. */
async function callEachOther(world: World, [one, two]: readonly [Pair, Pair], calls: number): Promise<void> {
  const [ada, bob] = [
    await world.agent("Ada", { identity: one }),
    await world.agent("Bob", { identity: two }),
  ];
  for (let made = 0; made < calls; made += 1) {
    const { call, answered } = await connected(world, ada, bob, PCMU, PCMU);
    await world.during(call.end());
    await world.during(answered.settled);
  }
  await world.during(Promise.all([ada.close(), bob.close()]));
  await world.clock.advance(10_000);
}
