import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { VirtualClock } from "../../test/net/virtual-clock.ts";
import { CALM_MS, FLOOD_HANDSHAKES, GROWTH, giveRoomInFloods, YOUNG_BYTES } from "./short-collections.ts";

const SCRIPT = fileURLToPath(new URL("../../test/processes/flooded-heap.ts", import.meta.url));

interface Collected {
  readonly major: number;
  readonly minor: number;
  readonly youngBytes: number;
}

/** What V8 does in a process that is flooded. */
async function collected(...how: readonly string[]): Promise<Collected> {
  const { stdout } = await promisify(execFile)(process.execPath, ["--conditions=source", SCRIPT, ...how]);
  return JSON.parse(stdout) as Collected;
}

it("the young generation stays small, and in a flood everything is collected a quarter as often", async () => {
  const [usual, flooded] = await Promise.all([collected("short"), collected("short", "flooded")]);
  for (const { youngBytes, minor } of [usual, flooded]) {
    expect(youngBytes).toBeLessThanOrEqual(YOUNG_BYTES);
    expect(minor).toBeGreaterThan(60);
  }
  expect(flooded.major).toBeLessThanOrEqual(usual.major / 4);
});

it("left to itself the young generation grows, and is collected less often in larger pieces", async () => {
  const { minor, youngBytes } = await collected();
  expect(youngBytes).toBeGreaterThan(YOUNG_BYTES);
  expect(minor).toBeLessThan(50);
});

it("buffers that live for a turn do not have everything collected, as they do left to themselves", async () => {
  const same = ["--semi-space-growth-factor=1", `--heap-growing-percent=${GROWTH.flooded}`];
  const [counted, apart] = await Promise.all([collected("short", "flooded"), collected(...same)]);
  expect(counted.major).toBeLessThan(apart.major);
});

it("a flood of handshakes gives the heap room until it was calm for a while", async () => {
  const clock = new VirtualClock();
  const server = { handshakes: FLOOD_HANDSHAKES - 1 };
  const grown: number[] = [];
  const stop = giveRoomInFloods(server, clock, (percent) => grown.push(percent));
  await clock.advance(5_000);
  expect(grown).toEqual([]);
  server.handshakes = FLOOD_HANDSHAKES;
  await clock.advance(500);
  server.handshakes = 0;
  await clock.advance(CALM_MS - 1_000);
  expect(grown).toEqual([GROWTH.flooded]);
  await clock.advance(2_000);
  expect(grown).toEqual([GROWTH.flooded, GROWTH.usual]);
  stop();
  server.handshakes = FLOOD_HANDSHAKES;
  await clock.advance(2_000);
  expect(grown).toHaveLength(2);
});
