/** What calls and other clients notice of somebody who floods the TLS port (target T5). */
import { Latencies, type LatencySummary } from "../src/bots/latencies.ts";
import { sampleProcess } from "../src/bots/process-watch.ts";
import { resultOf } from "../test/exchanges/wire.ts";
import { ForeignSocket } from "../test/foreign/foreign-socket.ts";
import type { FloodKind, FloodOrder, FloodReport } from "../test/processes/tls-flooder.ts";
import { BenchProcess } from "./bench-process.ts";
import type { LoadTarget } from "./load/link.ts";
import type { LoadOrder, LoadReport } from "./load/relay-load.ts";
import { median } from "./median.ts";
import { withParleyServer } from "./parley-server.ts";
import { type BenchRow, formatRows } from "./row.ts";

/**
 * About seven minutes for all: one server, one flood after the other, each from a process of its own, all on loopback. Each is measured
 * {@link ROUNDS} times, beside the calls without it just before; the median counts.
 */
export async function run(kinds: readonly string[] = []): Promise<BenchRow[]> {
  return await withParleyServer(async (server, target) => {
    const quiets: Found[] = [];
    const rows: BenchRow[] = [];
    for (const { kind, connections } of FLOODS) {
      if (kinds.length > 0 && !kinds.includes(kind)) continue;
      const rounds: Round[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        const quiet = await underLoad(server, target);
        quiets.push(quiet);
        const flooder = new BenchProcess(FLOODER, [JSON.stringify(orderOf(kind, connections, target))]);
        try {
          await flooder.mark("flooding", STANDING_TIMEOUT);
          const flooded = await underLoad(server, target);
          flooder.tell("stop");
          rounds.push({ quiet, flooded, report: await flooder.next<FloodReport>(RUN_TIMEOUT) });
        } finally {
          await flooder.stop();
        }
        await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      }
      rows.push(...floodRows(kind, rounds));
    }
    return [...quietRows(quiets), ...rows];
  });
}

/** One flood, and what there was just before it. */
interface Round {
  readonly quiet: Found;
  readonly flooded: Found;
  readonly report: FloodReport;
}

/** What was found while calls were up. */
interface Found {
  readonly load: LoadReport;
  /** From dialling to the answer, each on a connection of its own, ms. */
  readonly asked: LatencySummary;
  readonly unanswered: number;
  /** The most memory of the server's own, bytes. */
  readonly memory: number;
  /** What the server used of a core meanwhile. */
  readonly cpu: number;
}

async function underLoad(server: BenchProcess, target: LoadTarget): Promise<Found> {
  const order: LoadOrder = {
    kind: "parley",
    target,
    calls: CALLS,
    ...FRAMES,
    oneWay: false,
    payloadBytes: 160,
  };
  const load = new BenchProcess(new URL("./load/relay-load.ts", import.meta.url), [JSON.stringify(order)]);
  const asked = new Latencies();
  let [unanswered, memory, isOver] = [0, 0, false];
  const asking = async (): Promise<void> => {
    while (!isOver) {
      const from = performance.now();
      await ask(target).then(
        () => asked.record(performance.now() - from),
        () => {
          unanswered += 1;
        },
      );
      memory = Math.max(memory, sampleProcess(server.pid)?.ownMemory ?? Number.NaN);
      await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
    }
  };
  try {
    await load.mark("ready", STANDING_TIMEOUT);
    load.tell("go");
    await load.mark("begin", RUN_TIMEOUT);
    const [from, used] = [performance.now(), server.cpuSeconds()];
    const others = asking();
    await load.mark("end", RUN_TIMEOUT);
    const cpu = (1_000 * (server.cpuSeconds() - used)) / (performance.now() - from);
    isOver = true;
    await others;
    const report = await load.next<LoadReport>(RUN_TIMEOUT);
    return { load: report, asked: asked.summary(), unanswered, memory, cpu };
  } finally {
    isOver = true;
    await load.stop();
  }
}

async function ask({ address, certificateHash = "" }: LoadTarget): Promise<void> {
  const socket = await ForeignSocket.open(portOf(address), { fingerprint: certificateHash });
  try {
    await socket.write("AGTP/1.0 DESCRIBE /\r\n\r\n");
    resultOf(await socket.answer());
  } finally {
    socket.leave();
  }
}

function orderOf(kind: FloodKind, connections: number, { address }: LoadTarget): FloodOrder {
  const port = portOf(address);
  return { kind, connections, port, host: "127.0.0.1", origin: `https://${address}`, from: LOOPBACK };
}

function quietRows(found: readonly Found[]): BenchRow[] {
  const name = "no flood";
  const of = (value: (one: Found) => number) => median(found.map(value));
  return [
    {
      ...{
        name,
        metric: "latency p50",
        value: of(({ load }) => load.latency.p50),
        unit: "ms",
        better: "less",
      },
      note: `median of ${found.length} runs of ${CALLS} calls over QUIC, ${found[0]?.load.sent} frames each`,
    },
    {
      ...{
        name,
        metric: "latency p99",
        value: of(({ load }) => load.latency.p99),
        unit: "ms",
        better: "less",
      },
      note: found.map(({ load }) => load.latency.p99.toFixed(1)).join(", "),
    },
    {
      ...{
        name,
        metric: "others answered p50",
        value: of(({ asked }) => asked.p50),
        unit: "ms",
        better: "less",
      },
      note: "dialling, handshake and answer over TLS, a record on disk",
    },
    {
      ...{ name, metric: "server CPU", value: of(({ cpu }) => cpu), unit: "of a core", better: "less" },
      note: "all threads",
    },
  ];
}

function floodRows(kind: FloodKind, rounds: readonly Round[]): BenchRow[] {
  const name = `flood: ${kind}`;
  const of = (value: (round: Round) => number) => median(rounds.map(value));
  const sum = (value: (round: Round) => number) => rounds.reduce((total, round) => total + value(round), 0);
  const [opened, ended] = [of(({ report }) => report.opened), of(({ report }) => report.ended)];
  const about = `${opened} connections, ${ended} ended, ${mib(of(({ report }) => report.sent)).toFixed(1)} MiB sent`;
  const lateness = of(({ flooded }) => flooded.load.lateness.p99).toFixed(1);
  const sent = sum(({ flooded }) => flooded.load.sent);
  const received = sum(({ flooded }) => flooded.load.received);
  return [
    ...(["p50", "p99"] as const).map((metric): BenchRow => {
      const ratio = ({ quiet, flooded }: Round) => flooded.load.latency[metric] / quiet.load.latency[metric];
      const pairs = rounds.map(
        ({ quiet, flooded }) =>
          `${flooded.load.latency[metric].toFixed(1)}/${quiet.load.latency[metric].toFixed(1)}`,
      );
      return {
        ...{ name, metric: `latency ${metric} over none`, unit: "x", better: "less", target: LATENCY_TARGET },
        value: of(ratio),
        note: `T5; ms ${pairs.join(", ")}; ${about}; frames left ${lateness} ms late at p99`,
      };
    }),
    {
      ...{ name, metric: "lost", value: ((sent - received) / sent) * 100 },
      ...{ unit: "%", better: "less", target: 0, note: `T5; of ${sent} frames` },
    },
    {
      ...{ name, metric: "others answered p99", value: of(({ flooded }) => flooded.asked.p99) },
      ...{ unit: "ms", better: "less", note: `p50 ${of(({ flooded }) => flooded.asked.p50).toFixed(1)} ms` },
    },
    {
      ...{ name, metric: "server CPU", value: of(({ flooded }) => flooded.cpu), unit: "of a core" },
      ...{
        better: "less",
        note: `${of(({ quiet, flooded }) => flooded.cpu - quiet.cpu).toFixed(2)} beyond the quiet runs`,
      },
    },
    {
      ...{ name, metric: "others not answered", value: sum(({ flooded }) => flooded.unanswered) },
      ...{ unit: "requests", better: "less", target: 0 },
    },
    {
      ...{
        name,
        metric: "memory",
        value: mib(Math.max(...rounds.map(({ quiet, flooded }) => flooded.memory - quiet.memory))),
      },
      ...{ unit: "MiB more", better: "less", target: MEMORY_MIB },
      note: "T5; the server's own, at most, beyond the quiet run before",
    },
  ];
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(":") + 1));
}

function mib(bytes: number): number {
  return bytes / 2 ** 20;
}

const FLOODS: readonly { readonly kind: FloodKind; readonly connections: number }[] = [
  { kind: "half-open", connections: 10_000 },
  { kind: "requests", connections: 10 },
  { kind: "headers", connections: 50 },
  { kind: "slow", connections: 400 },
  { kind: "unread", connections: 50 },
  { kind: "idle", connections: 2_000 },
];
const FLOODER = new URL("../test/processes/tls-flooder.ts", import.meta.url);
/** Ports are counted for each pair of addresses; limits for one address leave loopback alone, so that those of the port are what holds. */
const LOOPBACK = Array.from({ length: 20 }, (_, index) => `127.0.0.${index + 2}`);
/** An odd number. */
const ROUNDS = 3;
const CALLS = 10;
/** Signing takes longer where a flood wants the machine as well. */
const FRAMES = { warmUpFrames: 50, frames: 250, leadMs: 3_000 } as const;
const ASK_EVERY_MS = 100;
const LATENCY_TARGET = 2;
const MEMORY_MIB = 400;
const SETTLE_MS = 3_000;
const STANDING_TIMEOUT = 60_000;
const RUN_TIMEOUT = 20_000;

if (import.meta.main) process.stdout.write(`${formatRows(await run(process.argv.slice(2)))}\n`);
