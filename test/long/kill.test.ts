/**
 * The server's process is killed in the middle of calls over every carrier, again and again, and started on what it left: nothing it
 * acknowledged is missing, calls that last go on in their agents, all others end with a reason, its chain of records is whole, what the
 * evidence of every call says holds, and whoever follows its events misses none.
 */
import { expect, it } from "vitest";
import { sampleProcess } from "../../src/bots/process-watch.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { EventReceiver } from "../event-receiver.ts";
import { KilledServer } from "../killed-server.ts";
import { announceSeed } from "../net/announce-seed.ts";
import { pause, until, within } from "../waiting.ts";
import { ACTS, type Act, CallLives } from "./call-lives.ts";
import { readLeftLog, readTold } from "./left-log.ts";

const KILLS = 50;
/** Milliseconds of life before a kill, at most. */
const LONGEST_LIFE_MS = 1_500;
/** One start of so many is killed as well. */
const KILLED_STARTS = 6;
const LONGEST_START_MS = 1_500;
/** After one kill of so many speech is listened to, which takes until nothing can be a replay of what was said before. */
const SPOKEN = 4;
const REPLAY_MS = 2_600;
/** One request for events of so many is refused. */
const REFUSED = 12;
/** What the last process may have beyond the first: measured 8 MB, and no more handles. */
const MORE_BYTES = 96 * 2 ** 20;
const MORE_HANDLES = 8;

it(`loses nothing it acknowledged in ${KILLS} kills`, async () => {
  const random = new SeededRandom(announceSeed("kill"));
  const refusals = random.fork();
  const receiver = await EventReceiver.start(() => refusals.integer(REFUSED) !== 0);
  const server = new KilledServer("--webhook", receiver.url);
  await server.start();
  const lives = await Promise.all(
    (
      [
        ["webtransport", "websocket"],
        ["websocket", "tls"],
        ["tls", "webtransport"],
      ] as const
    ).map((carriers) => CallLives.start(server, carriers, random.fork())),
  );
  let first: ReturnType<typeof sampleProcess>;
  for (let kill = 0; kill < KILLS; kill += 1) {
    await Promise.all(lives.map((life) => life.prepare()));
    first ??= sampleProcess(server.pid);
    const stopped = new AbortController();
    const acts = lives.map(() => someActs(random));
    for (const [at, life] of lives.entries()) life.begin(acts[at] ?? [], stopped.signal);
    await pause(random.integer(LONGEST_LIFE_MS));
    await server.kill();
    stopped.abort();
    if (random.integer(KILLED_STARTS) === 0) {
      server.begin();
      await pause(random.integer(LONGEST_START_MS));
      await server.kill();
    }
    await server.start();
    const started = performance.now();
    await Promise.all(lives.map((life) => life.goOn()));
    if (kill % SPOKEN === 0) {
      await pause(Math.max(0, started + REPLAY_MS - performance.now()));
      await Promise.all(lives.flatMap(({ lasting }) => lasting.map((call) => call.expectHeard())));
    }
  }
  await Promise.all(lives.map((life) => life.end()));
  const last = sampleProcess(server.pid);
  // What the kills left behind is on disk alone.
  expect(last?.ownMemory ?? 0).toBeLessThan((first?.ownMemory ?? 0) + MORE_BYTES);
  expect(last?.handles ?? 0).toBeLessThanOrEqual((first?.handles ?? 0) + MORE_HANDLES);
  await Promise.all(lives.flatMap(({ agents }) => agents.map(({ agent }) => agent.close())));
  const stopping = within("the server stopping", server.stop(), 30_000);
  expect((await stopping)?.code).toBe(0);

  const left = await readLeftLog(server.data, await server.anchors());
  const acknowledged = new Set(lives.flatMap(({ agents }) => agents.flatMap(({ tap }) => [...tap.auditIds])));
  expect([...acknowledged].filter((auditId) => !left.auditIds.has(auditId))).toEqual([]);
  const established = lives.flatMap((life) => [...life.established]);
  expect(established.filter((id) => !left.endings.has(id))).toEqual([]);
  for (const id of lives.flatMap((life) => [...life.ended]))
    expect(left.endings.get(id)?.closedBy, id).toContain(0);
  for (const call of lives.flatMap(({ over }) => over)) call.expectCounted();
  // That the kills met the server at work: the busier the machine, the fewer short calls are up at one.
  const endings = [...left.endings.values()];
  const reasons = Map.groupBy(endings, ({ reason }) => reason);
  console.info([...reasons].map(([reason, { length }]) => `${length} ${reason}`).join(", "));
  const restarts = endings.reduce((sum, ending) => sum + ending.restarts, 0);
  console.info(
    `${endings.length} sessions, ${restarts} went on over a restart, ${acknowledged.size} acknowledged records`,
  );
  expect(endings.length).toBeGreaterThan(KILLS);
  expect(reasons.get("server-restarted")?.length ?? 0).toBeGreaterThan(KILLS / 10);
  expect(restarts).toBeGreaterThan(KILLS);

  await server.start();
  const told = async () => (await readTold(server.data, receiver.bodies)).length;
  await until("every event told", async () => (await told()) >= left.lifeEvents.length, 60_000);
  expect(await readTold(server.data, receiver.bodies)).toEqual(left.lifeEvents);
}, 480_000);

function someActs(random: SeededRandom): Act[] {
  return Array.from({ length: 1 + random.integer(3) }, () => ACTS[random.integer(ACTS.length)] as Act);
}
