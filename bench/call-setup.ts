/** Calls set up per second, and how long one takes until the first words are heard (target P4). */
import { BenchProcess } from "./bench-process.ts";
import type { CallOrder, CallReport } from "./load/call-load.ts";
import { withParleyServer } from "./parley-server.ts";
import { type BenchRow, formatRows } from "./row.ts";

/** About half a minute. Whole agents, all in one process beside the server's; every call is signed, checked, recorded and ended. */
export async function run(): Promise<BenchRow[]> {
  const most = await measure({ agents: AGENTS, atOnce: AT_ONCE, warmUpSeconds: 2, seconds: 7 });
  const steady = await measure({
    agents: AGENTS,
    atOnce: AT_ONCE,
    callsPerSecond: OFFERED_PER_SECOND,
    warmUpSeconds: 2,
    seconds: 8,
  });
  return [...throughputRows(most), ...latencyRows(steady)];
}

interface Measured {
  readonly order: Omit<CallOrder, "target">;
  readonly report: CallReport;
  readonly serverCpu: number;
  readonly loadCpu: number;
}

function throughputRows({ order, report, serverCpu, loadCpu }: Measured): BenchRow[] {
  const perSecond = report.setUp / order.seconds;
  const cores = (cpu: number) => (cpu / order.seconds).toFixed(2);
  return [
    {
      ...{ name: "call setup, saturated", metric: "sustained", value: perSecond },
      ...{ unit: "calls/s", target: 200, better: "more" },
      note: `P4; ${order.atOnce} at once, set up and ended by bots that sign all and check nothing; cores: server ${cores(serverCpu)}, bots ${cores(loadCpu)}`,
    },
    {
      ...{ name: "call setup, saturated", metric: "server CPU", value: (serverCpu * 1_000) / report.setUp },
      ...{ unit: "ms/call", better: "less", note: "from ESTABLISH to the closing statements" },
    },
    {
      ...{ name: "call setup, saturated", metric: "failed", value: report.failed },
      ...{ unit: "calls", better: "less", note: report.failure ?? "" },
    },
  ];
}

function latencyRows({ order, report }: Measured): BenchRow[] {
  const name = `call setup, ${order.callsPerSecond}/s offered`;
  const late = `calls placed ${report.lateness.p99.toFixed(1)} ms late at p99`;
  return [
    {
      ...{ name, metric: "answered p50", value: report.answered.p50, unit: "ms", better: "less" },
      note: late,
    },
    { name, metric: "answered p99", value: report.answered.p99, unit: "ms", better: "less" },
    {
      ...{ name, metric: "first frame heard p50", value: report.heard.p50, unit: "ms", better: "less" },
      ...{ target: 30, note: "P4; PCM handed to the caller, its playout delay included" },
    },
    {
      name,
      metric: "first frame heard p99",
      value: report.heard.p99,
      unit: "ms",
      target: 150,
      better: "less",
    },
    {
      ...{ name, metric: "failed", value: report.failed, unit: "calls", better: "less", target: 0 },
      note: report.failure ?? `of ${report.offered}`,
    },
  ];
}

async function measure(order: Omit<CallOrder, "target">): Promise<Measured> {
  return await withParleyServer(async (server, target) => {
    const load = new BenchProcess(new URL("./load/call-load.ts", import.meta.url), [
      JSON.stringify({ ...order, target }),
    ]);
    try {
      await load.mark("ready", SETUP_TIMEOUT);
      load.tell("go");
      await load.mark("begin", RUN_TIMEOUT);
      const before = [server.cpuSeconds(), load.cpuSeconds()] as const;
      await load.mark("end", RUN_TIMEOUT);
      const serverCpu = server.cpuSeconds() - before[0];
      const loadCpu = load.cpuSeconds() - before[1];
      const report = await load.next<CallReport>(RUN_TIMEOUT);
      if (report.setUp === 0) throw new Error(`no call was set up: ${report.failure}`);
      return { order, report, serverCpu, loadCpu };
    } finally {
      await load.stop();
    }
  });
}

const AGENTS = 40;
const AT_ONCE = 32;
const OFFERED_PER_SECOND = 50;
const SETUP_TIMEOUT = 60_000;
const RUN_TIMEOUT = 20_000;

if (import.meta.main) process.stdout.write(`${formatRows(await run())}\n`);
