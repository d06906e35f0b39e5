/** Data of every kind in calls whose ends lose their connections, or their processes. */
import { expect, it } from "vitest";
import { dataOf, EVERY_KIND, heardOn, textsOf, valuesOf } from "./data-kinds.ts";
import { hungUp, link, online } from "./returning.ts";
import { connected } from "./talking.ts";
import { World } from "./world.ts";

const SCENE = { ...EVERY_KIND, model: "persistent" } as const;

it.each(["writer", "reader"])("goes on when the %s's connection is lost", async (who) => {
  const world = new World({ toServer: link, toClient: link });
  const [ada, bob] = [await online(world, "Ada"), await online(world, "Bob")];
  const { call, answered } = await connected(world, ada.agent, bob.agent, SCENE);
  const tasks = heardOn(dataOf(answered, "tasks"));
  const position = heardOn(dataOf(answered, "position"));
  const texts = textsOf(answered);
  answered.onRpc("late", async () => {
    await new Promise<void>((resolve) => world.clock.at(world.clock.now() + 2_500, resolve));
    return "answered";
  });
  const text = call.text();
  const asked = call.rpc("late", null, { deadlineMs: 20_000 });
  for (let at = 0; at < 250; at += 1) {
    if (at === 50) (who === "writer" ? ada : bob).way.cut();
    void dataOf(call, "tasks").send(at);
    void dataOf(call, "position").send({ at });
    void text.append(`${at} `);
    await world.clock.advance(20);
  }
  await world.during(text.finish());
  await world.clock.advance(2_000);
  expect([call.state, answered.state]).toEqual(["active", "active"]);
  const numbers = Array.from({ length: 250 }, (_, at) => at);
  expect(valuesOf(tasks)).toEqual(numbers);
  expect(texts.map((one) => [one.text, one.state])).toEqual([
    [numbers.map((at) => `${at} `).join(""), "finished"],
  ]);
  expect(await world.during(asked)).toBe("answered");
  // Of what was said while nobody could take it nothing is old, and what came after is there.
  const came = position.map(({ value }) => (value as { at: number }).at);
  expect(came).toEqual([...new Set(came)].toSorted((left, right) => left - right));
  expect(came.at(-1)).toBe(249);
  expect(came.length).toBeGreaterThan(100);
  expect(Math.max(...position.map(({ age }) => age))).toBeLessThanOrEqual(350);
  await hungUp(world, call, answered);
  expect(world.reported).toEqual([]);
});

it("goes on when another process takes the call up: texts and requests of the one before end, new ones are told apart", async () => {
  const world = new World({ toServer: link, toClient: link });
  const identity = world.identity({ name: "Ada" });
  const first = await online(world, "Ada", { identity, reconnect: false });
  const bob = await online(world, "Bob");
  const { call, answered } = await connected(world, first.agent, bob.agent, SCENE);
  const tasks = heardOn(dataOf(answered, "tasks"));
  const position = heardOn(dataOf(answered, "position"));
  const texts = textsOf(answered);
  let answer: (value: string) => void = () => {};
  answered.onRpc(
    "slow",
    () =>
      new Promise<string>((resolve) => {
        answer = resolve;
      }),
  );
  answered.onRpc("echo", (params) => params);
  void call.rpc("slow", null, { deadlineMs: 60_000 }).catch(() => undefined);
  const text = call.text();
  await text.append("half of a sen");
  await world.during(dataOf(call, "tasks").send("before"));
  await world.clock.advance(200);
  first.way.cut();
  await world.clock.advance(1_000);
  const second = await online(world, "Ada", { identity });
  const taken = await world.during(second.agent.takeUp(call.id));
  await world.clock.advance(100);
  // Told to nobody: who asked is gone.
  answer("too late");
  await world.during(dataOf(taken, "tasks").send("after"));
  await world.during(dataOf(taken, "position").send({ at: 1 }));
  const fresh = taken.text();
  await fresh.append("a new one");
  await world.during(Promise.all([fresh.finish(), taken.rpc("echo", 7)]));
  await world.clock.advance(200);
  expect(valuesOf(tasks)).toEqual(["before", "after"]);
  expect(valuesOf(position)).toEqual([{ at: 1 }]);
  expect(texts.map((one) => [one.text, one.state])).toEqual([
    ["half of a sen", "open"],
    ["a new one", "finished"],
  ]);
  await hungUp(world, taken, answered);
  expect(texts[0]?.state).toBe("cancelled");
  expect(world.reported).toEqual([]);
});
