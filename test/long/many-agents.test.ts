/** Very many agents in one process, over a network of its memory. */
import { expect, it } from "vitest";
import type { Agent } from "../../agent/agent.ts";
import { utterance } from "../scenario/talking.ts";
import { World } from "../scenario/world.ts";

it("a thousand agents fit in a process, and a hundred pairs of them talk at once", async () => {
  const begun = process.cpuUsage();
  const world = new World();
  const agents = await world.during(
    Promise.all(Array.from({ length: 1_000 }, (_, index) => world.connecting(`Agent ${index}`))),
  );
  expect(world.server.connections).toBe(1_000);
  expect(new Set(agents.map(({ id }) => id)).size).toBe(1_000);
  for (const agent of agents) agent.onCall(async (incoming) => void (await incoming.accept()));
  const audio = { codecs: ["pcmu"] };
  const calls = await world.during(
    Promise.all(
      agents.slice(0, 100).map((agent, index) => agent.call((agents[999 - index] as Agent).id, { audio })),
    ),
  );
  const pcm = utterance(0.2, 8000);
  for (const call of calls) void call.audio.write(pcm);
  await world.clock.advance(400);
  for (const agent of agents.slice(900)) {
    expect(agent.calls[0]?.stats().heard).toMatchObject({ verified: 10, refused: {} });
  }
  await world.during(Promise.all(calls.map((call) => call.end())));
  await world.clock.advance(100);
  expect(agents.flatMap((agent) => agent.calls)).toEqual([]);
  await world.during(Promise.all(agents.map((agent) => agent.close())));
  await world.clock.advance(10);
  expect(world.server.connections).toBe(0);
  expect(world.reported).toEqual([]);
  const { user, system } = process.cpuUsage(begun);
  expect((user + system) / 1_000_000).toBeLessThan(10);
}, 60_000);
