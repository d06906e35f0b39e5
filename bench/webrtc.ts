/**
 * What a packet of a WebRTC voice costs and how long it takes: through mediasoup alone, through Node without anything on top, and through
 * Parley's gateway, between two WebRTC peers and to agents by QUIC.
 */
import { readdirSync, readFileSync } from "node:fs";
import type { FrameProfile } from "../codecs/frame.ts";
import { cpuSecondsOf } from "../src/bots/process-watch.ts";
import { BenchProcess } from "./bench-process.ts";
import { withServer } from "./churn.ts";
import type { LoadTarget } from "./load/link.ts";
import type { EchoCounts } from "./load/webrtc-agents.ts";
import type { WebRtcKind } from "./load/webrtc-lines.ts";
import type { WebRtcLoadOrder, WebRtcLoadReport } from "./load/webrtc-load.ts";
import { type BenchRow, formatRows } from "./row.ts";

/** One way of WebRTC voices under load. */
export interface WebRtcPoint {
  readonly kind: WebRtcKind;
  readonly peers: number;
  readonly seconds: number;
  /** Each spoke half of the time. */
  readonly inTurns: boolean;
  /** Of the calls, where there were any. */
  readonly profile: FrameProfile;
  /** Of the process that holds the workers, and of these, while packets counted. */
  readonly cpuSeconds: { readonly server: number; readonly workers: number };
  readonly report: WebRtcLoadReport;
  /** Of the agents, where there were any. */
  readonly echoed?: EchoCounts;
}

/** About four minutes; `callSeconds`: of the 50 calls with agents. */
export async function run(callSeconds = CALL_SECONDS): Promise<BenchRow[]> {
  const pipe = await relayed("pipe");
  const node = await relayed("node");
  const gateway = await withServer(({ certificateHash, pid, url }) =>
    load("gateway", pid, { address: new URL(url).host, certificateHash }, ALL),
  );
  const turns = await calls({ ...CALLS, seconds: callSeconds });
  const agent = await calls(ALL);
  return [pipe, node, gateway, turns, agent].flatMap((point) => rowsOf(point, pipe));
}

/** How many speak, for how long, and whether each is silent half of the time. */
type Speakers = Pick<WebRtcPoint, "peers" | "seconds" | "inTurns" | "profile">;

async function calls(speakers: Speakers): Promise<WebRtcPoint> {
  return await withServer(({ certificateHash, pid, url }) =>
    callsWith({ address: new URL(url).host, certificateHash }, pid, speakers),
  );
}

/** WebRTC peers, each in a call with an agent by QUIC that says everything back, at a server whose process `pid` is. */
export async function callsWith(target: LoadTarget, pid: number, speakers: Speakers): Promise<WebRtcPoint> {
  const echo = new BenchProcess(new URL("./load/webrtc-agents.ts", import.meta.url), [
    ...[JSON.stringify(target), String(AGENTS), speakers.profile],
  ]);
  try {
    const { agents } = await echo.next<{ readonly agents: readonly string[] }>(START_TIMEOUT);
    const point = await load("agent", pid, { ...target, agents }, speakers);
    echo.tell("stats");
    return { ...point, echoed: await echo.next<EchoCounts>(START_TIMEOUT) };
  } finally {
    await echo.stop();
  }
}

async function relayed(kind: "pipe" | "node"): Promise<WebRtcPoint> {
  const relay = new BenchProcess(new URL("./webrtc-relay.ts", import.meta.url), [kind]);
  try {
    return await load(kind, relay.pid, await relay.next<LoadTarget>(START_TIMEOUT), ALL);
  } finally {
    await relay.stop();
  }
}

async function load(
  kind: WebRtcKind,
  pid: number,
  target: LoadTarget,
  speakers: Speakers,
): Promise<WebRtcPoint> {
  const { peers, seconds, inTurns } = speakers;
  const order: WebRtcLoadOrder = {
    ...{ kind, target, peers, warmUpFrames: WARM_UP_FRAMES, frames: seconds * FRAMES_PER_SECOND },
    ...(inTurns ? { turnFrames: FRAMES_PER_SECOND } : {}),
  };
  const generator = new BenchProcess(new URL("./load/webrtc-load.ts", import.meta.url), [
    JSON.stringify(order),
  ]);
  try {
    await generator.mark("ready", SETUP_TIMEOUT);
    generator.tell("go");
    await generator.mark("begin", SETUP_TIMEOUT);
    const before = cpuOf(pid);
    await generator.mark("end", seconds * 1_000 + RUN_TIMEOUT);
    const after = cpuOf(pid);
    const report = await generator.next<WebRtcLoadReport>(RUN_TIMEOUT);
    if (report.received === 0) throw new Error(`no packet came through (${kind})`);
    const cpuSeconds = { server: after.server - before.server, workers: after.workers - before.workers };
    return { kind, ...speakers, cpuSeconds, report };
  } finally {
    await generator.stop();
  }
}

/** Of a process, and of the media workers that it started. */
function cpuOf(pid: number): WebRtcPoint["cpuSeconds"] {
  const workers = workersOf(pid).map((worker) => cpuSecondsOf(readFileSync(`/proc/${worker}/stat`, "utf8")));
  return {
    server: cpuSecondsOf(readFileSync(`/proc/${pid}/stat`, "utf8")),
    workers: workers.reduce((sum, seconds) => sum + seconds, 0),
  };
}

/** Process ids of the media workers of a process. Linux only. */
export function workersOf(pid: number): readonly number[] {
  return readdirSync(`/proc/${pid}/task`)
    .flatMap((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").trim().split(" "))
    .filter((child) => child !== "" && readFileSync(`/proc/${child}/comm`, "utf8").startsWith("mediasoup"))
    .map(Number);
}

/** Microseconds a packet, from one end to the other: one that comes back was two. */
function costs({ cpuSeconds: { server, workers }, kind, report }: WebRtcPoint) {
  const packets = report.received * (kind === "agent" ? 2 : 1);
  return { server: (server * 1e6) / packets, workers: (workers * 1e6) / packets };
}

function rowsOf(point: WebRtcPoint, pipe: WebRtcPoint): BenchRow[] {
  const { inTurns, kind, peers, profile, report, seconds } = point;
  const { ended, lateness, latency, missing, setup } = report;
  const row = (metric: string, value: number, unit: string, note = "", target?: number): BenchRow => ({
    ...{
      name: `WebRTC ${kind}, ${peers} peers${inTurns ? " in turns" : ""}`,
      metric,
      value,
      unit,
      better: "less",
      note,
    },
    ...(target === undefined ? {} : { target }),
  });
  const [cost, ofPipe] = [costs(point), costs(pipe)];
  const rows = [
    row(
      ...(["workers CPU", cost.workers / 10, CPU_UNIT] as const),
      `${LABELS[kind]}${kind === "agent" ? `, profile ${profile}` : ""}; ${seconds} s, ${report.sent} packets; they left ${lateness.p99.toFixed(1)} ms late at p99`,
    ),
    row("server CPU", cost.server / 10, CPU_UNIT),
    row("latency p50", latency.p50, "ms", kind === "agent" ? "there and back" : ""),
    row("latency p99", latency.p99, "ms"),
  ];
  const lost = (target?: number) =>
    row("lost", report.sent - report.received, "packets", missing.join("; "), target);
  if (kind === "pipe") return [...rows, lost()];
  const overPipe = (cost.server + cost.workers) / (ofPipe.server + ofPipe.workers);
  rows.push(row("CPU over pipe", overPipe, "x"));
  if (kind === "node") return [...rows, lost()];
  return [
    ...rows,
    // All at once is more than a conversation, and more than a small machine has beside the peers and the agents themselves.
    lost(kind === "agent" && !inTurns ? undefined : 0),
    row("later than 200 ms", report.late, "packets"),
    row("ended before their time", ended.length, "peers", ended.join("; "), 0),
    row("call up p99", setup.p99, "ms", `p50 ${setup.p50.toFixed(0)} ms, connecting to the server included`),
  ];
}

const LABELS: Readonly<Record<WebRtcKind, string>> = {
  pipe: "mediasoup alone, peer to peer",
  node: "each packet through Node and back to the worker, peer to peer",
  gateway: "two gateway legs in a call, profile frame, every signature made and checked in one process",
  agent: "gateway leg to agent by QUIC and back",
};
const CPU_UNIT = "CPU-s/100k packets";
const PEERS = 50;
const AGENTS = 10;
const SECONDS = 10;
const CALL_SECONDS = 60;
const ALL: Speakers = { peers: PEERS, seconds: SECONDS, inTurns: false, profile: "frame" };
/** Calls as they are led, with agents that serve many. */
export const CALLS: Speakers = { peers: PEERS, seconds: CALL_SECONDS, inTurns: true, profile: "chain" };
const FRAMES_PER_SECOND = 50;
const WARM_UP_FRAMES = 100;
const START_TIMEOUT = 60_000;
const SETUP_TIMEOUT = 180_000;
const RUN_TIMEOUT = 20_000;

if (import.meta.main) process.stdout.write(`${formatRows(await run())}\n`);
