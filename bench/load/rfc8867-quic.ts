// Case 5.1 of RFC 8867 on the real QUIC stack, beside the same case on virtual time: through the UDP emulator, and through a bottleneck of
// the kernel's in a network namespace. Argument: its seconds, fewer than it has for a quick look. Prints `{"rows": BenchRow[]}`.
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { startUdpEmulator } from "../../src/emulation/udp-emulator.ts";
import { MediaFlow } from "../../test/net/media-flow.ts";
import { CASES, type CongestionCase } from "../congestion/cases.ts";
import { FlowTrace } from "../congestion/flow-trace.ts";
import { plotCase } from "../congestion/plot.ts";
import { connectQuic, type QuicWays } from "../congestion/quic-way.ts";
import { RealTime } from "../congestion/real-time.ts";
import { type CaseRun, runCase } from "../congestion/run-case.ts";
import { type Score, score, TARGETS } from "../congestion/scorecard.ts";
import {
  missingForNamespaces,
  type ShapedNamespace,
  shapedNamespace,
} from "../congestion/shaped-namespace.ts";
import type { BenchRow } from "../row.ts";

/** Milliseconds one way, and that the bottleneck's queue holds; rates of the media: those of the case on virtual time. */
const DELAY = 50;
const QUEUE = 300;
const BITRATE = { least: 150_000, most: 5_000_000, first: 300_000 };
const SEED = 1;

async function measure(plan: CongestionCase): Promise<BenchRow[]> {
  const virtual = rowsOf(score(runCase(plan, SEED)), "virtual time", plan.title);
  const emulated = await throughEmulator(plan);
  draw(emulated, "emulator");
  const why =
    "QUIC's own loss-based window is an outer bound; waits include its queue, and timers of this machine";
  const rows = [...virtual, ...rowsOf(score(emulated), "QUIC, emulator", why)];
  const missing = missingForNamespaces();
  if (missing !== undefined) {
    process.stderr.write(` (no namespace: ${missing})`);
    return rows;
  }
  const shaped = await throughKernel(plan);
  draw(shaped, "tbf");
  return [
    ...rows,
    ...rowsOf(score(shaped), "QUIC, tbf", `${why}; the kernel's token bucket, in a namespace`),
  ];
}

async function throughEmulator(plan: CongestionCase): Promise<CaseRun> {
  const at = (rate: number) => ({ delay: DELAY, rate, queue: QUEUE });
  let emulator: Awaited<ReturnType<typeof startUdpEmulator>> | undefined;
  const leadTo = async (port: number): Promise<string> => {
    emulator = await startUdpEmulator({
      ...{ target: `127.0.0.1:${port}`, seed: SEED, toClient: { delay: DELAY } },
      toServer: at(firstRate(plan)),
    });
    return emulator.address;
  };
  try {
    return await runReal(plan, "127.0.0.1", leadTo, (rate) => emulator?.change({ toServer: at(rate) }));
  } finally {
    await emulator?.close();
  }
}

/** The emulator gives the delay, which the kernel here has no means to, and the namespace the bottleneck. */
async function throughKernel(plan: CongestionCase): Promise<CaseRun> {
  let namespace: ShapedNamespace | undefined;
  let emulator: Awaited<ReturnType<typeof startUdpEmulator>> | undefined;
  const leadTo = async (port: number): Promise<string> => {
    namespace = await shapedNamespace(port, firstRate(plan), QUEUE);
    const delay = { delay: DELAY };
    emulator = await startUdpEmulator({
      target: namespace.address,
      toServer: delay,
      toClient: delay,
      seed: SEED,
    });
    return emulator.address;
  };
  try {
    return await runReal(plan, "0.0.0.0", leadTo, (rate) => namespace?.change(rate));
  } finally {
    await emulator?.close();
    namespace?.close();
  }
}

async function runReal(
  plan: CongestionCase,
  host: string,
  leadTo: (port: number) => Promise<string>,
  change: (rate: number) => void,
): Promise<CaseRun> {
  const [flow] = plan.flows;
  if (flow === undefined || plan.flows.length > 1) throw new Error("one flow alone runs on the real stack");
  let time = new RealTime();
  const ways: QuicWays = await connectQuic({ host, delay: DELAY, now: () => time.now, leadTo });
  time = new RealTime();
  const trace = new FlowTrace();
  const media = new MediaFlow(time, {
    ...{ there: ways.there, back: ways.back, delay: 0, bitrate: BITRATE },
    ...{ random: new SeededRandom(SEED), ears: trace, ssrc: 1 },
  });
  for (const [at, rate] of plan.forward) time.at(at * 1_000, () => change(rate * 1e6));
  media.start();
  await time.runTo(plan.seconds * 1_000);
  ways.settle();
  ways.close();
  return { plan, media: [{ flow, trace }], tcp: [], tcpActive: 0 };
}

function firstRate(plan: CongestionCase): number {
  return (plan.forward[0]?.[1] ?? 1) * 1e6;
}

function rowsOf({ name, utilisation, delay95, loss }: Score, where: string, note: string): BenchRow[] {
  const common = { name: `RFC 8867 ${name}, ${where}`, note: "P10" };
  return [
    {
      ...{ ...common, metric: "utilisation", value: 100 * utilisation, unit: "%", better: "more" },
      note: `P10; ${note}`,
      target: 100 * TARGETS.utilisation,
    },
    { ...common, metric: "queue p95", value: delay95, unit: "ms", better: "less", target: TARGETS.delay95 },
    { ...common, metric: "loss", value: 100 * loss, unit: "%", better: "less", target: 100 * TARGETS.loss },
  ];
}

function draw(run: CaseRun, where: string): void {
  const folder = fileURLToPath(new URL("../../out/bench/", import.meta.url));
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}rfc8867-${run.plan.name}-${where}.svg`, plotCase(run));
}

process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => process.exit(0));
const whole = CASES.find(({ name }) => name === "5.1") as CongestionCase;
const seconds = Number(process.argv[2] ?? whole.seconds);
const plan = { ...whole, seconds, flows: whole.flows.map((flow) => ({ ...flow, stop: seconds })) };
process.stdout.write(`${JSON.stringify({ rows: await measure(plan) })}\n`);
