/** What calls leave behind in a server, and what they take while they are up (target P9). */
import type { Agent } from "../agent/agent.ts";
import { createIdentity, Agent as NodeAgent } from "../agent/node.ts";
import type { BotsPlan } from "../src/bots/plan.ts";
import { type ProcessSample, sampleProcess } from "../src/bots/process-watch.ts";
import { runBots } from "../src/bots/run-bots.ts";
import { type ServerProcess, startServerProcess } from "../src/bots/server-process.ts";
import type { BotsSummary } from "../src/bots/summary.ts";
import { count, total } from "../src/bots/tally.ts";
import { QUIET_MS } from "../src/cli/collect-when-quiet.ts";
import { type BenchRow, formatRows } from "./row.ts";

/** A server as it stands after a number of calls have come and gone. */
export interface AfterCalls {
  readonly calls: number;
  /** By reason. */
  readonly failed: Readonly<Record<string, number>>;
  readonly server: ProcessSample;
}

/** About two minutes. */
export async function run(): Promise<BenchRow[]> {
  const [early, late] = await withServer((server) => churn(server, [EARLY_CALLS, LATE_CALLS]));
  const perAgent = await withServer(memoryPerAgent);
  const perCall = await withServer(memoryPerCall);
  if (early === undefined || late === undefined) throw new Error("the calls were not made");
  const name = `churn, ${early.calls} to ${late.calls} calls`;
  return [
    {
      ...{ name, metric: "server's own memory", value: mib(late.server.ownMemory - early.server.ownMemory) },
      ...{ unit: "MiB more", better: "less", target: FLAT_MIB },
      note: `P9; ${mib(late.server.ownMemory).toFixed(0)} MiB in the end, what ${2 * late.calls} agents registered with included`,
    },
    {
      ...{ name, metric: "files in memory", value: mib(filesIn(late.server) - filesIn(early.server)) },
      ...{ unit: "MiB more", better: "less" },
      note: "the record log as far as it was touched; the system takes it back when it needs to",
    },
    {
      ...{ name, metric: "server handles", value: (late.server.handles ?? 0) - (early.server.handles ?? 0) },
      ...{ unit: "more", better: "less", target: 0, note: "P9" },
    },
    { name, metric: "failed", value: total(late.failed), unit: "calls", better: "less", target: 0 },
    {
      ...{ name: "memory", metric: "per agent online", value: perAgent / 1_000 },
      ...{ unit: "KB", better: "less", target: 100, note: `P9; ${AGENTS} agents` },
    },
    {
      ...{ name: "memory", metric: "per call", value: perCall / 1_000 },
      ...{
        unit: "KB",
        better: "less",
        target: 300,
        note: `P9; ${MEMORY_CALLS} calls, their agents included`,
      },
    },
  ];
}

/** Makes and ends short calls, each between two new agents; looks at the server at rest after each number of `counts`. */
export async function churn(
  server: ServerProcess,
  counts: readonly number[],
  callsPerSecond = CALLS_PER_SECOND,
): Promise<AfterCalls[]> {
  const looks: AfterCalls[] = [];
  let calls = 0;
  const failed: Record<string, number> = {};
  for (const upTo of counts) {
    const more = upTo - calls;
    const summary = await load(server, { calls: more, ramp: (more * 1_000) / callsPerSecond }, 200);
    for (const [reason, times] of Object.entries(summary.calls.failed)) count(failed, reason, times);
    calls = upTo;
    await rest();
    looks.push({ calls, failed: { ...failed }, server: look(server) });
  }
  return looks;
}

async function memoryPerCall(server: ServerProcess): Promise<number> {
  // Code is compiled and pools are filled by calls that do not count.
  await load(server, { calls: WARM_UP_CALLS, ramp: 500 }, 500);
  await settle();
  const before = look(server).ownMemory;
  const loaded = load(server, { calls: MEMORY_CALLS, ramp: RAMP_MS }, CALL_MS);
  let most = 0;
  const looking = setInterval(() => {
    most = Math.max(most, look(server).ownMemory);
  }, LOOK_EVERY_MS);
  try {
    await loaded;
  } finally {
    clearInterval(looking);
  }
  return (most - before) / MEMORY_CALLS;
}

async function memoryPerAgent(server: ServerProcess): Promise<number> {
  const agents: Agent[] = [];
  const connect = async (): Promise<void> => {
    const { identity } = createIdentity({ name: `idle ${agents.length}` });
    const certificateHashes = [Buffer.from(server.certificateHash, "hex")];
    agents.push(
      await NodeAgent.connect(server.url, { identity, certificateHashes, carrier: "webtransport" }),
    );
  };
  for (let made = 0; made < WARM_UP_AGENTS; made += 1) await connect();
  await rest();
  const before = look(server).ownMemory;
  for (let made = 0; made < AGENTS; made += 1) await connect();
  await rest();
  const after = look(server).ownMemory;
  await Promise.all(agents.map((agent) => agent.close()));
  return (after - before) / AGENTS;
}

async function load(
  { url, webSocketUrl, certificateHash, pid }: ServerProcess,
  { calls, ramp }: { readonly calls: number; readonly ramp: number },
  duration: number,
): Promise<BotsSummary> {
  const plan: BotsPlan = {
    ...{ calls, ramp, duration: { least: duration, most: duration }, rate: { least: 24_000, most: 24_000 } },
    ...{
      media: "opus",
      networks: [],
      clips: [],
      data: [],
      dataRate: 16_000,
      carrier: "webtransport",
      seed: 1,
      duplex: false,
      decode: false,
    },
    profile: "frame",
  };
  const target = { url, webSocketUrl, certificateHash };
  const { signal: stop } = new AbortController();
  return await runBots({ plan, target, serverPid: pid, progress: () => {}, stop });
}

function filesIn({ memory, ownMemory }: ProcessSample): number {
  return memory - ownMemory;
}

function mib(bytes: number): number {
  return bytes / 2 ** 20;
}

/** A server of its own, in a process of its own, while it is used. */
export async function withServer<Value>(use: (server: ServerProcess) => Promise<Value>): Promise<Value> {
  const server = await startServerProcess();
  try {
    return await use(server);
  } finally {
    await server.stop();
  }
}

/** Throws where the server is gone or the machine does not tell. */
export function look({ pid }: ServerProcess): ProcessSample {
  const sample = sampleProcess(pid);
  if (sample === undefined) throw new Error("the server is gone, or this machine does not tell");
  return sample;
}

/** Connections that are over are let go of after a while; garbage is not collected before. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
}

/** Until a server without calls has collected its garbage. */
export function rest(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, REST_MS));
}

const EARLY_CALLS = 100;
const LATE_CALLS = 1_000;
/** Few enough for two cores with other work: calls that wait for one another would be measured instead. */
const CALLS_PER_SECOND = 10;
const WARM_UP_CALLS = 10;
const MEMORY_CALLS = 50;
const [RAMP_MS, CALL_MS, LOOK_EVERY_MS] = [2_500, 6_000, 250];
const WARM_UP_AGENTS = 20;
const AGENTS = 100;
const SETTLE_MS = 3_000;
/** The last of an ended call's requests may come seconds after it; then `QUIET_MS` of quiet; then the collection. */
const REST_MS = QUIET_MS + 9_000;
/** 16, and 10 for what the server keeps of 1,800 more agents. */
const FLAT_MIB = 26;

if (import.meta.main) process.stdout.write(`${formatRows(await run())}\n`);
