import { expect, it } from "vitest";
import { VirtualClock } from "../../test/net/virtual-clock.ts";
import { collectWhenQuiet, garbageCollector, QUIET_MS, WORTH_REQUESTS } from "./collect-when-quiet.ts";

const A_MOMENT_MS = 1_000;
const LONG_MS = 10 * QUIET_MS;

function scene() {
  const clock = new VirtualClock();
  const server = { calls: 0, requests: 0 };
  const collections: number[] = [];
  const stop = collectWhenQuiet(server, clock, () => collections.push(clock.now()));
  return { clock, server, collections, stop };
}

it("collects once when nobody has called for a while, and never during a call", async () => {
  const { clock, server, collections } = scene();
  server.calls = 1;
  await clock.advance(LONG_MS);
  expect(collections).toEqual([]);
  server.calls = 0;
  await clock.advance(QUIET_MS - A_MOMENT_MS);
  expect(collections).toEqual([]);
  await clock.advance(2 * A_MOMENT_MS);
  expect(collections).toHaveLength(1);
  await clock.advance(LONG_MS);
  expect(collections).toHaveLength(1);
});

it("takes requests for work as well, and collects again only after enough of them", async () => {
  const { clock, server, collections } = scene();
  await clock.advance(LONG_MS);
  expect(collections).toHaveLength(1);
  server.requests += WORTH_REQUESTS - 1;
  await clock.advance(LONG_MS);
  expect(collections).toHaveLength(1);
  for (let made = 0; made < 10; made += 1) {
    server.requests += 1;
    await clock.advance(QUIET_MS - A_MOMENT_MS);
  }
  expect(collections).toHaveLength(1);
  await clock.advance(LONG_MS);
  expect(collections).toHaveLength(2);
});

it("leaves no timer behind", async () => {
  const { clock, collections, stop } = scene();
  await clock.advance(A_MOMENT_MS);
  stop();
  expect(clock.pending).toBe(0);
  await clock.advance(LONG_MS);
  expect(collections).toEqual([]);
});

it("really collects what nobody holds, and shows the collector to nobody else", async () => {
  let held: object[] | undefined = Array.from({ length: 100 }, (_, at) => ({ at }));
  const seen = held.map((one) => new WeakRef(one));
  held = undefined;
  // What a weak reference was made for lives until the end of the turn.
  await new Promise((resolve) => setImmediate(resolve));
  garbageCollector()();
  expect(seen.filter((one) => one.deref() !== undefined)).toEqual([]);
  expect(Reflect.has(globalThis, "gc")).toBe(false);
});
