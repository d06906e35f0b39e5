/** What calls and other clients notice of somebody who floods the TLS port (target T5). */
import { Latencies, type LatencySummary } from "../src/bots/latencies.ts";
import { sampleProcess } from "../src/bots/process-watch.ts";
import { resultOf } from "../test/exchanges/wire.ts";
import { ForeignSocket } from "../test/foreign/foreign-socket.ts";
import type { FloodKind, FloodOrder, FloodReport } from "../test/processes/tls-flooder.ts";
import { BenchProcess } from "./bench-process.ts";
import type { LoadTarget } from "./load/link.ts";
import type { LoadOrder, LoadReport } from "./load/relay-load.ts";
import { withParleyServer } from "./parley-server.ts";
import { type BenchRow, formatRows } from "./row.ts";

/** About two minutes for all: one server, one flood after the other, each from a process of its own, all on loopback. */
export async function run(kinds: readonly string[] = []): Promise<BenchRow[]> {
  return await withParleyServer(async (server, target) => {
    const quiet = await underLoad(server, target);
    const rows = [...quietRows(quiet)];
    for (const { kind, connections } of FLOODS) {
      if (kinds.length > 0 && !kinds.includes(kind)) continue;
      const flooder = new BenchProcess(FLOODER, [JSON.stringify(orderOf(kind, connections, target))]);
      try {
        await flooder.mark("flooding", STANDING_TIMEOUT);
        const flooded = await underLoad(server, target);
        flooder.tell("stop");
        rows.push(...floodRows(kind, quiet, flooded, await flooder.next<FloodReport>(RUN_TIMEOUT)));
      } finally {
        await flooder.stop();
      }
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    }
    return rows;
  });
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

function quietRows({ load, asked, cpu }: Found): BenchRow[] {
  const name = "no flood";
  return [
    {
      ...{ name, metric: "latency p50", value: load.latency.p50, unit: "ms", better: "less" },
      note: `${CALLS} calls over QUIC, ${load.sent} frames`,
    },
    { name, metric: "latency p99", value: load.latency.p99, unit: "ms", better: "less" },
    {
      ...{ name, metric: "others answered p50", value: asked.p50, unit: "ms", better: "less" },
      note: "dialling, handshake and answer over TLS, a record on disk",
    },
    { name, metric: "server CPU", value: cpu, unit: "of a core", better: "less", note: "all threads" },
  ];
}

function floodRows(kind: FloodKind, quiet: Found, found: Found, report: FloodReport): BenchRow[] {
  const name = `flood: ${kind}`;
  const { load, asked, unanswered, memory } = found;
  const about = `${report.opened} connections, ${report.ended} ended, ${mib(report.sent).toFixed(1)} MiB sent`;
  return [
    ...(["p50", "p99"] as const).map(
      (metric): BenchRow => ({
        ...{ name, metric: `latency ${metric} over none`, unit: "x", better: "less", target: LATENCY_TARGET },
        value: load.latency[metric] / quiet.load.latency[metric],
        note: `T5; ${load.latency[metric].toFixed(2)} ms; ${about}; frames left ${load.lateness.p99.toFixed(1)} ms late at p99`,
      }),
    ),
    {
      ...{ name, metric: "lost", value: ((load.sent - load.received) / load.sent) * 100 },
      ...{ unit: "%", better: "less", target: 0, note: `T5; of ${load.sent} frames` },
    },
    {
      ...{ name, metric: "others answered p99", value: asked.p99, unit: "ms", better: "less" },
      note: `p50 ${asked.p50.toFixed(1)} ms, of ${asked.count}`,
    },
    {
      ...{ name, metric: "server CPU", value: found.cpu, unit: "of a core", better: "less" },
      note: `${(found.cpu - quiet.cpu).toFixed(2)} beyond the quiet run`,
    },
    { name, metric: "others not answered", value: unanswered, unit: "requests", better: "less", target: 0 },
    {
      ...{ name, metric: "memory", value: mib(memory - quiet.memory), unit: "MiB more", better: "less" },
      ...{ target: MEMORY_MIB, note: "T5; the server's own, at most, beyond the quiet run" },
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
