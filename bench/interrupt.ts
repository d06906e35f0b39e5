/** From one end's interrupt to the other end's silence (target P7). */
import { connectAgent } from "../agent/connect.ts";
import { type Agent, createIdentity } from "../agent/node.ts";
import { Latencies } from "../src/bots/latencies.ts";
import type { LoadTarget } from "./load/link.ts";
import { precisePlatform } from "./load/precise-platform.ts";
import { withParleyServer } from "./parley-server.ts";
import { type BenchRow, formatRows } from "./row.ts";

/** About eight seconds: a server with its records on disk, two agents in this process, loopback. */
export async function run(): Promise<BenchRow[]> {
  return await withParleyServer(async (_, target) => {
    const [speaker, listener] = await Promise.all([connect(target, "speaker"), connect(target, "listener")]);
    try {
      return rowsOf(await interruptions(speaker, listener));
    } finally {
      await Promise.all([speaker.close(), listener.close()]);
    }
  });
}

/** What one interrupt took, ms. */
interface Interruption {
  /** Until the speaker had dropped its queue: it sends nothing from then on. */
  readonly silent: number;
  /** Until the last frame that it sent meanwhile; 0 where it sent none. */
  readonly lastFrame: number;
  /** Until the record was durable and the listener had its answer. */
  readonly recorded: number;
}

async function interruptions(speaker: Agent, listener: Agent): Promise<Interruption[]> {
  const { promise: answering, resolve } = Promise.withResolvers<Awaited<ReturnType<Agent["call"]>>>();
  listener.onCall(async (incoming) => resolve(await incoming.accept()));
  let lastSent = 0;
  const call = await speaker.call(listener.id, {
    watch: ({ fate }) => {
      if (fate === "sent") lastSent = performance.now();
    },
  });
  const answered = await answering;
  const found: Interruption[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const interrupted = new Promise<number>((told) => {
      const remove = call.on("interrupted", () => {
        remove();
        told(performance.now());
      });
    });
    void call.audio.write(speech()).catch(() => undefined);
    await new Promise((later) => setTimeout(later, TALK_MS + (round % 20)));
    const from = performance.now();
    const answer = answered.interrupt().then(() => performance.now());
    const [silentAt, recordedAt] = await within(LONGEST_MS, Promise.all([interrupted, answer]));
    const lastFrame = Math.max(0, lastSent - from);
    found.push({ silent: silentAt - from, lastFrame, recorded: recordedAt - from });
  }
  await call.end();
  return found;
}

function rowsOf(found: readonly Interruption[]): BenchRow[] {
  const of = (pick: (one: Interruption) => number) => {
    const latencies = new Latencies();
    for (const one of found) latencies.record(pick(one));
    return latencies.summary();
  };
  const silent = of(({ silent: value }) => value);
  const common = { name: "interrupt to silence", unit: "ms", better: "less" } as const;
  return [
    {
      ...common,
      metric: "p50",
      value: silent.p50,
      target: TARGET_MS,
      note: `P7; ${found.length} interrupts`,
    },
    {
      ...{ ...common, metric: "p99", value: silent.p99, target: TARGET_MS },
      note: "P7; the half round trip that the target allows on top is nothing here",
    },
    { ...common, metric: "last frame sent p99", value: of(({ lastFrame }) => lastFrame).p99 },
    {
      ...common,
      metric: "on record p50",
      value: of(({ recorded }) => recorded).p50,
      note: "durable on disk",
    },
  ];
}

function connect(target: LoadTarget, name: string): Promise<Agent> {
  return connectAgent(precisePlatform(), `https://${target.address}/agtp`, {
    identity: createIdentity({ name }).identity,
    certificateHashes: [Buffer.from(target.certificateHash ?? "", "hex")],
  });
}

/** A tone longer than a round: there is always something left to interrupt. */
function speech(): Int16Array {
  return Int16Array.from({ length: 48_000 }, (_, at) => Math.round(8_000 * Math.sin(at / 20)));
}

async function within<Value>(ms: number, promise: Promise<Value>): Promise<Value> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no silence within ${ms} ms`)), ms);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

const ROUNDS = 25;
/** How long the speaker talks before it is interrupted, ms. Rounds stay below the 10 interrupts a second that a session may have. */
const TALK_MS = 180;
const TARGET_MS = 50;
const LONGEST_MS = 5_000;

if (import.meta.main) process.stdout.write(`${formatRows(await run())}\n`);
