/**
 * What one relayed voice frame costs and how long it takes, Parley's profiles beside two relays that only pass frames on
 * (targets P1, P2 and P3): plain UDP, and the same QUIC binding without anything on top.
 */
import { BenchProcess } from "./bench-process.ts";
import type { LoadTarget } from "./load/link.ts";
import type { LoadOrder, LoadReport, RelayKind } from "./load/relay-load.ts";
import { withParleyServer } from "./parley-server.ts";
import { type BenchRow, formatRows } from "./row.ts";

/** One relay under one load. */
export interface RelayPoint {
  readonly kind: RelayKind;
  readonly calls: number;
  readonly cpuSeconds: number;
  readonly report: LoadReport;
}

/**
 * About three minutes: every point has a fresh relay process and a fresh load process, two seconds to warm up and five that count. `search`:
 * calls at which the bare relay is tried for the second load.
 */
export async function run(search: readonly number[] = SEARCH_CALLS): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  const low = await atLoad(COMMON_CALLS);
  rows.push(...rowsAt(low, "50 calls"));
  const high = await highestWithoutLoss(low.bare, search);
  if (high.calls === COMMON_CALLS) return rows;
  const udp = await measure("udp", high.calls);
  const parley = await measure("parley", high.calls);
  const chain = await measure("parley-chain", high.calls);
  rows.push(
    ...rowsAt(
      { udp, bare: high, parley, "parley-chain": chain },
      `${high.calls} calls, the most the bare relay loses nothing at`,
    ),
  );
  return rows;
}

/** About half a minute: the audio profile of MoQ relays' benchmarks, 120 bytes every 20 ms, as that many one-way calls. */
export async function runFan(calls = FAN_CALLS): Promise<BenchRow[]> {
  return rowsAt(await atLoad(calls, FAN), `${calls} one-way calls`);
}

/** About half a minute: a relay of plain WebSocket messages, and Parley's WebSocket carrier, both without TLS. */
export async function runSockets(): Promise<BenchRow[]> {
  const name = `relay over WebSockets, ${COMMON_CALLS} calls`;
  const [ws, parley] = [await measure("ws", COMMON_CALLS), await measure("parley-ws", COMMON_CALLS)];
  return [
    ...rowsOf(ws, name),
    ...rowsOf(parley, name),
    {
      ...{ name, metric: "frame beyond ws", value: costPerFrame(parley) - costPerFrame(ws) },
      ...{ unit: "us/frame", better: "less" },
    },
  ];
}

/** Who speaks, and how much. */
type Shape = Pick<LoadOrder, "oneWay" | "payloadBytes">;

/** The relays at one load. */
export type RelayPoints = Readonly<Record<(typeof QUIC_KINDS)[number], RelayPoint>>;

/** Microseconds of the server process per frame relayed: what it spent on frames it dropped counts as well. */
export function costPerFrame(point: RelayPoint): number {
  return (point.cpuSeconds * 1e6) / point.report.received;
}

/** The figures of one load. */
export function rowsAt(points: RelayPoints, load: string): BenchRow[] {
  const rows: BenchRow[] = [];
  const name = `relay, ${load}`;
  for (const kind of QUIC_KINDS) rows.push(...rowsOf(points[kind], name));
  const { bare, parley, "parley-chain": chain, udp } = points;
  return [
    ...rows,
    {
      ...{ name, metric: "frame beyond bare", value: costPerFrame(parley) - costPerFrame(bare) },
      ...{ unit: "us/frame", target: COST_TARGET_US, better: "less" },
      note: `P2; listeners here verify 1 frame in 100 (${parley.report.verified} checked)`,
    },
    {
      ...{ name, metric: "chain frame over bare", value: costPerFrame(chain) / costPerFrame(bare) },
      ...{ unit: "x", target: CHAIN_COST_TARGET, better: "less" },
      note: `P1, checkpoints included; ${(costPerFrame(chain) / costPerFrame(udp)).toFixed(1)}x plain node:dgram (bare: ${(costPerFrame(bare) / costPerFrame(udp)).toFixed(1)}x)`,
    },
    ...([parley, chain] as const).flatMap((point) =>
      (["p50", "p99"] as const).map(
        (metric): BenchRow => ({
          ...{ name, unit: "x", better: "less", target: LATENCY_TARGET },
          metric: `${point === chain ? "chain " : ""}latency ${metric} over bare`,
          value: point.report.latency[metric] / bare.report.latency[metric],
          note: `P3, profile ${point === chain ? "chain" : "frame"}`,
        }),
      ),
    ),
  ];
}

/** What one relay cost under its load. */
function rowsOf(point: RelayPoint, name: string): BenchRow[] {
  const { kind, report } = point;
  const about = `${LABELS[kind]}: ${point.calls} calls, ${report.sent} frames; ${lateNote(report)}`;
  return [
    {
      ...{ name, metric: `${kind} server CPU`, value: costPerFrame(point) / 10 },
      ...{ unit: "CPU-s/100k frames", better: "less", note: about },
    },
    {
      ...{ name, metric: `${kind} latency p50`, value: report.latency.p50 },
      ...{ unit: "ms", better: "less" },
    },
    {
      ...{ name, metric: `${kind} latency p99`, value: report.latency.p99 },
      ...{ unit: "ms", better: "less" },
    },
    {
      ...{ name, metric: `${kind} lost`, value: ((report.sent - report.received) / report.sent) * 100 },
      ...{ unit: "%", better: "less", ...(kind.startsWith("parley") ? { target: 0 } : {}) },
      note: refusedNote(report),
    },
  ];
}

function lateNote({ lateness }: LoadReport): string {
  const how = `frames left ${lateness.p99.toFixed(1)} ms late at p99`;
  return lateness.p99 > LATE_MS ? `${how}: the load generator could not keep its schedule` : how;
}

function refusedNote({ refused }: LoadReport): string {
  const reasons = Object.entries(refused).map(([reason, count]) => `${count} ${reason}`);
  return reasons.length === 0 ? "" : `refused by the relay: ${reasons.join(", ")}`;
}

async function atLoad(calls: number, shape: Shape = PAIRS): Promise<RelayPoints> {
  const udp = await measure("udp", calls, shape);
  const bare = await measure("bare", calls, shape);
  const parley = await measure("parley", calls, shape);
  return { udp, bare, parley, "parley-chain": await measure("parley-chain", calls, shape) };
}

/** The bare relay at the largest load tried at which every frame arrives, going up until one does not. */
async function highestWithoutLoss(known: RelayPoint, search: readonly number[]): Promise<RelayPoint> {
  let best = known;
  for (const calls of search) {
    const point = await measure("bare", calls);
    if (point.report.received < point.report.sent || point.report.lateness.p99 > LATE_MS) return best;
    best = point;
  }
  return best;
}

/** One relay under one load, relay and load generator each in a process of its own. */
async function measure(kind: RelayKind, calls: number, shape: Shape = PAIRS): Promise<RelayPoint> {
  const order = { kind, calls, ...shape, warmUpFrames: WARM_UP_FRAMES, frames: FRAMES };
  if (kind === "parley" || kind === "parley-chain" || kind === "parley-ws") {
    const run = (relay: BenchProcess, target: LoadTarget) => load({ ...order, target }, relay);
    return await withParleyServer(run, kind === "parley-ws" ? ["ws"] : []);
  }
  const relay = new BenchProcess(SCRIPTS[kind]);
  try {
    return await load({ ...order, target: await relay.next<LoadTarget>(START_TIMEOUT) }, relay);
  } finally {
    await relay.stop();
  }
}

async function load(order: LoadOrder, relay: BenchProcess): Promise<RelayPoint> {
  const { kind, calls } = order;
  const generator = new BenchProcess(new URL("./load/relay-load.ts", import.meta.url), [
    JSON.stringify(order),
  ]);
  try {
    await generator.mark("ready", SETUP_TIMEOUT);
    generator.tell("go");
    await generator.mark("begin", SETUP_TIMEOUT);
    const before = relay.cpuSeconds();
    await generator.mark("end", RUN_TIMEOUT);
    const cpuSeconds = relay.cpuSeconds() - before;
    const report = await generator.next<LoadReport>(RUN_TIMEOUT);
    if (report.badSignatures > 0 || report.received === 0) {
      const { received, badSignatures } = report;
      throw new Error(`the ${kind} relay delivered ${received} frames, ${badSignatures} of them broken`);
    }
    return { kind, calls, cpuSeconds, report };
  } finally {
    await generator.stop();
  }
}

const SCRIPTS = {
  udp: new URL("./relay-udp.ts", import.meta.url),
  bare: new URL("./relay-bare.ts", import.meta.url),
  ws: new URL("./relay-ws.ts", import.meta.url),
} as const;
const QUIC_KINDS = ["udp", "bare", "parley", "parley-chain"] as const;
const LABELS = {
  udp: "plain node:dgram",
  bare: "QUIC binding alone: read, look up, send",
  parley: "profile frame, every signature verified",
  "parley-chain": "profile chain, every frame compared with its checkpoint",
  ws: "package ws alone: read, look up, send",
  "parley-ws": "profile frame, every signature verified",
} as const;
const COMMON_CALLS = 50;
const FAN_CALLS = 50;
const PAIRS: Shape = { oneWay: false, payloadBytes: 160 };
const FAN: Shape = { oneWay: true, payloadBytes: 120 };
const SEARCH_CALLS = [75, 100, 150, 200];
const WARM_UP_FRAMES = 100;
const FRAMES = 250;
/** Lateness at p99 beyond which it is the load generator that is measured, ms. */
const LATE_MS = 10;
const COST_TARGET_US = 60;
const CHAIN_COST_TARGET = 1.25;
const LATENCY_TARGET = 1.3;
const START_TIMEOUT = 60_000;
const SETUP_TIMEOUT = 60_000;
const RUN_TIMEOUT = 20_000;

if (import.meta.main) process.stdout.write(`${formatRows(await run())}\n`);
