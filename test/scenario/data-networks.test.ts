/** Data of every kind through the preset networks: what is reliable arrives complete and in order, what is lossy arrives fresh. */
import { expect, it } from "vitest";
import type { Call } from "../../agent/call.ts";
import { Link, PRESETS } from "../../src/emulation/link.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { dataOf, EVERY_KIND, heardOn, textsOf, valuesOf } from "./data-kinds.ts";
import { connected } from "./talking.ts";
import { World } from "./world.ts";

const NETWORKS = ["wifi", "lossy-wifi", "cellular", "congested", "satellite"] as const;
/** What the networks take both ways of a call, and what the clocks may be apart by. */
const DEADLINE_MS = 3_000;
const UNSURE_MS = 700;

/** Values, one each 20 ms: what was handed to the carrier. */
async function report(world: World, call: Call, count: number): Promise<void> {
  for (let at = 0; at < count; at += 1) {
    void dataOf(call, "position").send({ at });
    await new Promise<void>((resolve) => world.clock.at(world.clock.now() + 20, resolve));
  }
}

it.each(NETWORKS)("through %s", { timeout: 20_000 }, async (preset) => {
  const link = (seed: number) => new Link(PRESETS[preset], new SeededRandom(seed));
  const world = new World({ toServer: link(5), toClient: link(6) });
  const [ada, bob] = [await world.agent("Ada"), await world.agent("Bob")];
  const latest = { label: "position", delivery: "latest", deadlineMs: DEADLINE_MS } as const;
  const { call, answered } = await connected(world, ada, bob, {
    ...EVERY_KIND,
    data: [...EVERY_KIND.data.slice(0, 3), latest],
  });
  const tasks = heardOn(dataOf(answered, "tasks"));
  const position = heardOn(dataOf(answered, "position"));
  const texts = textsOf(answered);
  answered.onRpc("double", (params) => 2 * (params as number));
  const numbers = Array.from({ length: 300 }, (_, number) => number);
  const counting = (async () => {
    for (const number of numbers) await dataOf(call, "tasks").send(number);
  })();
  const talking = (async () => {
    const [finished, cancelled] = [call.text(), call.text()];
    for (const number of numbers) await finished.append(`${number} `);
    await cancelled.append("to be taken back");
    await cancelled.cancel("changed");
    await finished.finish();
  })();
  const asking = (async () => {
    const answers: unknown[] = [];
    for (let number = 0; number < 5; number += 1)
      answers.push(await call.rpc("double", number, { deadlineMs: 30_000 }));
    return answers;
  })();
  const [, , answers] = await world.during(
    Promise.all([counting, talking, asking, report(world, call, 200)]),
  );
  await world.clock.advance(8_000);
  expect(valuesOf(tasks)).toEqual(numbers);
  expect(texts.filter(({ state }) => state === "finished").map(({ text }) => text)).toEqual([
    numbers.map((number) => `${number} `).join(""),
  ]);
  expect(texts.filter(({ state }) => state === "open")).toEqual([]);
  expect(answers).toEqual([0, 2, 4, 6, 8]);
  // What is lost is lost; what comes is in order, and in time.
  const came = position.map(({ value }) => (value as { at: number }).at);
  expect(came.length).toBeGreaterThan(100);
  expect(came).toEqual(came.toSorted((left, right) => left - right));
  expect(Math.max(...position.map(({ age }) => age))).toBeLessThan(DEADLINE_MS + UNSURE_MS);
  expect(dataOf(answered, "position").stats().heard).toMatchObject({ stale: 0 });
  expect(world.reported).toEqual([]);
});
