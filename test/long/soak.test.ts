/** A thousand calls through one server: what they leave behind does not add up. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, expect, it } from "vitest";
import type { Agent } from "../../agent/agent.ts";
import { connectAgent } from "../../agent/connect.ts";
import { createIdentity, nodePlatform } from "../../agent/node.ts";
import { sha256 } from "../../platform/node/sha256.ts";
import { random, verifier } from "../../platform/node/sodium.ts";
import { DEFAULT_LIMITS } from "../../signaling/switchboard/config.ts";
import { SILENT_LOG } from "../../src/server/event-log.ts";
import { MediaServer } from "../../src/server/media-server.ts";
import { openLmdbLog } from "../../store/lmdb-log.ts";
import { MemoryNetwork } from "../../transports/memory.ts";
import { connectCall, say } from "../calling.ts";
import { ShiftedClock } from "../shifted-clock.ts";
import { pause, until, within } from "../waiting.ts";

const ORIGIN = "https://127.0.0.1:4480";
const CALLS = 1_000;
/** Calls before the first look: code gets compiled, pools filled. */
const WARM_UP_CALLS = 200;
const PAIRS = 10;
/** Events wait for an agent a day, the longest that anything is remembered. */
const A_DAY_AND_MORE_MS = 25 * 3_600_000;
/** What memory may differ by between two looks for reasons of its own, MiB. */
const SLACK_MIB = 12;

const folder = mkdtempSync(join(tmpdir(), "parley-soak-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it(`keeps nothing of ${CALLS} calls`, async () => {
  const clock = new ShiftedClock();
  const log = await openLmdbLog(folder);
  const faults: unknown[] = [];
  const fault = (error: unknown): void => void faults.push(error);
  const network = new MemoryNetwork({ clock, fault });
  const server = new MediaServer({
    config: {
      serverId: "media.test",
      bindings: [],
      certificateHashes: () => [],
      registration: "open",
      policyScope: ["communication:bilateral"],
      trustFloor: "org-asserted",
      genesisIssuers: "any",
      agentDisclosure: "public",
      limits: DEFAULT_LIMITS,
    },
    identity: createIdentity({ name: "Server under test" }).identity,
    log,
    clock,
    verifier,
    sha256,
    random,
    events: SILENT_LOG,
    onFatal: fault,
  });
  const listener = network.listen("127.0.0.1:4480", (connection) => server.accept(connection, [ORIGIN]));
  const identities = Array.from(
    { length: 2 * PAIRS },
    (_, at) => createIdentity({ name: `Agent ${at}` }).identity,
  );
  const tone = Int16Array.from({ length: 4_800 }, (_, at) => 8_000 * Math.sin(at / 20));

  /** Connects everybody, makes that many calls, and has everybody leave. */
  const calls = async (count: number): Promise<void> => {
    const agents = await Promise.all(
      identities.map((identity) =>
        connectAgent({ ...nodePlatform(), clock, carrier: network }, ORIGIN, { identity, report: fault }),
      ),
    );
    const pairs = Array.from(
      { length: PAIRS },
      (_, at) => agents.slice(2 * at, 2 * at + 2) as [Agent, Agent],
    );
    await Promise.all(
      pairs.map(async ([caller, callee]) => {
        for (let made = 0; made < count / PAIRS; made += 1) {
          const { call, answered } = await connectCall(caller, callee);
          await within("the turn said", say(call, tone));
          await within("the hanging up", call.end());
          await within("the end told", answered.ended);
          await within("the end answered", answered.end());
        }
      }),
    );
    await within("everybody gone", Promise.all(agents.map((agent) => agent.close())));
    await until("every connection closed", () => server.connections === 0);
  };
  const look = async (): Promise<Look> => {
    clock.skip(A_DAY_AND_MORE_MS);
    await pause(500);
    return takeLook(clock);
  };

  await calls(WARM_UP_CALLS);
  const looks = [await look()];
  for (let made = WARM_UP_CALLS; made < CALLS; made += WARM_UP_CALLS) {
    await calls(WARM_UP_CALLS);
    looks.push(await look());
  }
  console.info(looks.map((each) => JSON.stringify(each)).join("\n"));
  expect(faults).toEqual([]);
  const [first, last] = [looks[0], looks.at(-1)] as [Look, Look];
  expect(last.timers).toBeLessThanOrEqual(first.timers);
  expect(last.files).toBeLessThanOrEqual(first.files);
  expect(last.handles).toBeLessThanOrEqual(first.handles);
  expect(last.heapMiB).toBeLessThan(first.heapMiB + SLACK_MIB);
  expect(last.bytesMiB).toBeLessThan(first.bytesMiB + SLACK_MIB);
  // Resident memory swings with the collector's moods: the lowest of the later looks tells.
  expect(Math.min(...looks.slice(1).map(({ residentMiB }) => residentMiB))).toBeLessThan(
    first.residentMiB + 2 * SLACK_MIB,
  );

  await listener.close();
  await server.close();
  await log.close();
}, 600_000);

interface Look {
  readonly heapMiB: number;
  readonly bytesMiB: number;
  /** Without the files mapped into memory, whose pages the record log grows by and the system takes back. */
  readonly residentMiB: number;
  readonly timers: number;
  readonly handles: number;
  readonly files: number;
}

function takeLook(clock: ShiftedClock): Look {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  const resident = /RssAnon:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? Number.NaN;
  return {
    heapMiB: round(heapUsed / 2 ** 20),
    bytesMiB: round(external / 2 ** 20),
    residentMiB: round(Number(resident) / 1024),
    timers: clock.pending,
    handles: process.getActiveResourcesInfo().length,
    files: readdirSync("/proc/self/fd").length,
  };
}

function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let times = 0; times < 3; times += 1) collect();
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
