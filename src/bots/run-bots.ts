/** Runs a load: processes of bots against a server, watched from outside. */
import { type ChildProcess, fork } from "node:child_process";
import { availableParallelism } from "node:os";
import type { BotsTarget } from "./bot-call.ts";
import type { BotsNotice, BotsOrder } from "./bot-process.ts";
import { sumTimes } from "./bot-times.ts";
import type { BotsPlan } from "./plan.ts";
import { type ProcessSample, sampleProcess } from "./process-watch.ts";
import { moduleUrl } from "./server-process.ts";
import { type BotsMeasured, type BotsSummary, summarize } from "./summary.ts";
import { emptyTally, sumTallies, type Tally } from "./tally.ts";

/** Calls that one process of bots carries before another one is started, as far as there are cores. */
const CALLS_PER_PROCESS = 50;

/**
 * What frames leave behind is short-lived: in a smaller young generation it is copied once or twice before it is let go of, at each call's
 * expense, and a larger one stops all calls of a process for longer.
 */
const YOUNG_GENERATION = "--max-semi-space-size=16";

export interface RunOptions {
  readonly plan: BotsPlan;
  readonly target: BotsTarget;
  /** Process of the server, where it runs on this machine. */
  readonly serverPid: number | undefined;
  /** Once a second: what was counted so far. */
  readonly progress: (seen: Seen) => void;
  /** Ends the calls early; the result is then partial. */
  readonly stop: AbortSignal;
}

/** A run at one moment. */
export interface Seen {
  /** Since the bots began, ms. */
  readonly elapsed: number;
  readonly tally: Tally;
  readonly server: ProcessSample | undefined;
}

/** Carries a plan out. Resolves when every process of bots has ended, whatever became of its calls. */
export async function runBots({ plan, target, serverPid, progress, stop }: RunOptions): Promise<BotsSummary> {
  const sample = (): ProcessSample | undefined =>
    serverPid === undefined ? undefined : sampleProcess(serverPid);
  const before = sample();
  let peakMemory = before?.memory ?? 0;
  const step = Math.max(1, Math.min(availableParallelism(), Math.ceil(plan.calls / CALLS_PER_PROCESS)));
  const began = performance.now();
  const crews = Array.from({ length: step }, (_, first) => new Crew({ plan, target, first, step }));
  const abort = (): void => {
    for (const crew of crews) crew.stop();
  };
  stop.addEventListener("abort", abort);
  const look = setInterval(() => {
    const server = sample();
    peakMemory = Math.max(peakMemory, server?.memory ?? 0);
    const tally = sumTallies(crews.map((crew) => crew.tally));
    progress({ elapsed: performance.now() - began, tally, server });
  }, 1_000);
  await Promise.all(crews.map((crew) => crew.over));
  clearInterval(look);
  stop.removeEventListener("abort", abort);
  const elapsed = performance.now() - began;
  const after = sample();
  const done = crews.flatMap((crew) => crew.done ?? []);
  const measured: BotsMeasured = {
    plan,
    tally: sumTallies(crews.map((crew) => crew.tally)),
    times: sumTimes(done.map(({ times }) => times)),
    elapsed,
    processes: crews.length,
    lostProcesses: crews.length - done.length,
    loopDelay: {
      p99: Math.max(0, ...done.map(({ loopDelay }) => loopDelay.p99)),
      max: Math.max(0, ...done.map(({ loopDelay }) => loopDelay.max)),
    },
    cpuSeconds: done.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
    server:
      serverPid === undefined || before === undefined || after === undefined
        ? undefined
        : { pid: serverPid, before, after, peakMemory: Math.max(peakMemory, after.memory) },
  };
  return summarize(measured);
}

/** One process of bots, as its parent sees it. */
class Crew {
  tally: Tally = emptyTally();
  done: Extract<BotsNotice, { kind: "done" }> | undefined;
  readonly over: Promise<void>;
  readonly #child: ChildProcess;

  constructor(order: BotsOrder) {
    this.#child = fork(moduleUrl("./bot-process"), {
      execArgv: [...process.execArgv, YOUNG_GENERATION],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    this.#child.on("message", (notice: BotsNotice) => {
      this.tally = notice.tally;
      if (notice.kind === "done") this.done = notice;
    });
    this.over = new Promise((resolve) => this.#child.once("close", () => resolve()));
    // One that cannot be told has ended: it shows in what it does not tell.
    this.#child.on("error", () => {});
    this.#child.send(order, () => {});
  }

  stop(): void {
    if (this.#child.connected) this.#child.send("stop", () => {});
  }
}
