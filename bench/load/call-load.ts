// Calls one Parley server with whole agents of the agent library. Argument: a `CallOrder` as JSON. Prints `{"mark":"ready"}`, then after
// the line `go` `{"mark":"begin"}` and `{"mark":"end"}` around what counts, then a `CallReport`.
import { createInterface } from "node:readline";
import type { Agent } from "../../agent/agent.ts";
import type { Call } from "../../agent/call.ts";
import { connectAgent } from "../../agent/connect.ts";
import { createIdentity, nodePlatform } from "../../agent/node.ts";
import { Latencies, type LatencySummary } from "../../src/bots/latencies.ts";
import { inParallel, type LoadTarget } from "./link.ts";

export interface CallOrder {
  readonly target: LoadTarget;
  /** Agents that call and as many that answer. */
  readonly agents: number;
  /** `offered`: this many calls a second, whatever becomes of them. Absent: each caller calls again as soon as it can. */
  readonly callsPerSecond?: number;
  /** Calls under way at once where no rate is offered. */
  readonly atOnce: number;
  readonly warmUpSeconds: number;
  readonly seconds: number;
}

export interface CallReport {
  readonly offered: number;
  readonly setUp: number;
  readonly failed: number;
  /** What the last failure was. */
  readonly failure?: string;
  /** From the moment a call was due until it was answered and checked, ms. */
  readonly answered: LatencySummary;
  /** From the moment a call was due until the caller was given the first PCM that the callee said, ms. */
  readonly heard: LatencySummary;
  /** How late calls were placed, ms: the load generator's own shortcoming. */
  readonly lateness: LatencySummary;
}

const order = JSON.parse(process.argv[2] ?? "{}") as CallOrder;
const saturates = order.callsPerSecond === undefined;
const AUDIO = { codecs: ["pcmu"], frameMs: 20 } as const;
/** Samples the callee says at once: five frames. */
const FIRST_WORDS = 800;
/** How long after the last call was placed the rest is waited for, ms. */
const STRAGGLERS_MS = 3_000;

/** Agents that sign everything and check nothing, so that it is the server that is saturated. */
const CREDULOUS = { ...nodePlatform(), verifier: { verify: () => true, isAcceptableKey: () => true } };
const answered = new Latencies();
const heard = new Latencies();
const lateness = new Latencies();
let offered = 0;
let setUp = 0;
let failed = 0;
let failure: string | undefined;
let next = 0;
const underWay = new Set<Promise<void>>();

const callers = await inParallel(order.agents, 8, () => online(false));
const callees = await inParallel(order.agents, 8, () => online(true));
print({ mark: "ready" });
for await (const line of createInterface({ input: process.stdin })) if (line.includes("go")) break;
const begin = performance.now() + order.warmUpSeconds * 1_000;
const end = begin + order.seconds * 1_000;
setTimeout(() => print({ mark: "begin" }), begin - performance.now());
await (order.callsPerSecond === undefined ? saturate() : offer(order.callsPerSecond));
print({ mark: "end" });
await Promise.race([Promise.all(underWay), new Promise((resolve) => setTimeout(resolve, STRAGGLERS_MS))]);
const report: CallReport = {
  offered,
  setUp,
  failed: failed + (offered - setUp - failed),
  ...(failure === undefined ? {} : { failure }),
  answered: answered.summary(),
  heard: heard.summary(),
  lateness: lateness.summary(),
};
print(report);
process.exit(0);

async function online(answers: boolean): Promise<Agent> {
  const { identity } = createIdentity({ name: "bench agent" });
  const agent = await connectAgent(
    saturates ? CREDULOUS : nodePlatform(),
    `https://${order.target.address}/agtp`,
    {
      identity,
      certificateHashes: [Buffer.from(order.target.certificateHash ?? "", "hex")],
    },
  );
  if (answers) {
    agent.onCall(async (incoming) => {
      const call = await incoming.accept({ audio: AUDIO });
      if (!saturates) void call.audio.write(new Int16Array(FIRST_WORDS).fill(1_000));
    });
  }
  return agent;
}

/** Keeps `atOnce` calls under way. */
async function saturate(): Promise<void> {
  await Promise.all(
    Array.from({ length: order.atOnce }, async () => {
      while (performance.now() < end) await place(performance.now());
    }),
  );
}

/** Places a call at each deadline, in time or late, however long the ones before take. */
async function offer(perSecond: number): Promise<void> {
  const start = performance.now();
  for (let count = 0; ; count += 1) {
    const due = start + (count * 1_000) / perSecond;
    if (due >= end) return;
    while (performance.now() < due) await new Promise((resolve) => setTimeout(resolve, 1));
    const placed = place(due).finally(() => underWay.delete(placed));
    underWay.add(placed);
  }
}

/** One call: placed, answered, its first words heard unless the server is to be saturated, and ended. It counts when it was due in the time that counts. */
async function place(due: number): Promise<void> {
  const counts = due >= begin && due < end;
  const pair = next++;
  const caller = callers[pair % callers.length] as Agent;
  const callee = callees[pair % callees.length] as Agent;
  if (counts) {
    offered += 1;
    lateness.record(performance.now() - due);
  }
  try {
    const call = await caller.call(callee.id, { audio: AUDIO });
    if (counts) answered.record(performance.now() - due);
    if (!saturates) {
      await firstWords(call);
      if (counts) heard.record(performance.now() - due);
    }
    if (counts) setUp += 1;
    await call.end();
  } catch (error) {
    if (!counts) return;
    failed += 1;
    failure = String(error);
  }
}

async function firstWords(call: Call): Promise<void> {
  for await (const { kind } of call.audio) if (kind === "speech") return;
  throw new Error("the call ended before anything was heard");
}

function print(line: unknown): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
