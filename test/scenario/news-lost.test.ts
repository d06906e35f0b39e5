/** News for an end that was away, in an inbox that was lost with the server's process: how the session stands makes up for them. */
import { beforeEach, expect, it } from "vitest";
import type { AgentIdentity } from "../../agent/identity.ts";
import { scopeOf } from "../../signaling/narrowing.ts";
import { bothAreHeard, count, type End, end, hungUp, link, online, upTo } from "./returning.ts";
import { connected } from "./talking.ts";
import { World } from "./world.ts";

let world: World;
let identity: AgentIdentity;
let ada: End;
let bob: End;

beforeEach(async () => {
  world = new World({ toServer: link, toClient: link });
  identity = world.identity({ name: "Ada" });
  const first = await online(world, "Ada", { identity });
  const second = await online(world, "Bob");
  const options = { data: true, model: "persistent" } as const;
  const { call, answered } = await connected(world, first.agent, second.agent, options, { data: true });
  [ada, bob] = [end(first, call), end(second, answered)];
});

function bobGoesAway(): Promise<void> {
  bob.way.isDown = true;
  bob.way.cut();
  return world.clock.advance(300);
}

/** The server is killed with all that waits in its inboxes; then everybody comes back. */
async function restartAndReturn(): Promise<void> {
  await world.server.close();
  await world.stopServer();
  await world.clock.advance(500);
  world.startServer();
  bob.way.isDown = false;
  await world.clock.advance(8_000);
  expect([ada.call.state, bob.call.state]).toEqual(["active", "active"]);
}

it("a new media key of the other end is learnt on return, and its holder heard", async () => {
  await bobGoesAway();
  const tab = await online(world, "Ada", { identity, inbox: "tab" });
  ada = end(tab, await world.during(tab.agent.takeUp(ada.call.id)));
  await world.clock.advance(500);
  await restartAndReturn();
  await world.during(count(world, ada.call, 5));
  await world.clock.advance(1_000);
  expect(bob.told).toEqual(upTo(5));
  await bothAreHeard(world, ada, bob);
  await hungUp(world, ada.call, bob.call);
  expect(world.reported).toEqual([]);
});

it("a resumption is learnt on return, and told once", async () => {
  await world.during(ada.call.suspend({ reason: "awaiting_input" }));
  await world.clock.advance(100);
  const told: unknown[] = [];
  bob.call.on("resumed", (event) => told.push(event));
  await bobGoesAway();
  await world.during(ada.call.resume());
  await restartAndReturn();
  expect([bob.call.suspended, told]).toEqual([undefined, [{ by: ada.agent.id, checkpoint: undefined }]]);
  await bothAreHeard(world, ada, bob);
  await hungUp(world, ada.call, bob.call);
});

it("a suspension is learnt on return, from the end that has its nonce", async () => {
  bob.way.isDown = true;
  const suspended = world.during(ada.call.suspend({ reason: "awaiting_input" }));
  await world.clock.advance(ONE_WAY + 5);
  bob.way.cut();
  const { id } = await suspended;
  await world.server.close();
  await world.stopServer();
  await world.clock.advance(500);
  world.startServer();
  bob.way.isDown = false;
  await world.clock.advance(8_000);
  expect(bob.call.suspended).toMatchObject({ id, by: ada.agent.id, nonce: undefined });
  await world.during(ada.call.resume());
  await world.clock.advance(100);
  await bothAreHeard(world, ada, bob);
});

it("what the other end gave up is learnt on return", async () => {
  const told: unknown[] = [];
  bob.call.on("terms-changed", ({ number, leg, by }) => told.push({ number, leg, by }));
  bob.way.isDown = true;
  const voice = scopeOf(ada.call.terms, 0).filter((token) => token.includes("audio"));
  const narrowed = world.during(ada.call.narrow(voice));
  await world.clock.advance(ONE_WAY + 5);
  bob.way.cut();
  await narrowed;
  await restartAndReturn();
  expect(bob.call.terms).toEqual(ada.call.terms);
  expect(told).toEqual([{ number: 2, leg: 0, by: ada.agent.id }]);
  await hungUp(world, bob.call, ada.call);
  expect(world.reported).toEqual([]);
});

/** Of the links between an agent and the server, ms. */
const ONE_WAY = 20;
