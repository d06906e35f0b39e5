/** From a sound at one agent's microphone to the same sound at the other's loudspeaker (targets P5 and P6). */

import { Latencies } from "../src/bots/latencies.ts";
import type { LinkConditions } from "../src/emulation/link.ts";
import { BenchProcess } from "./bench-process.ts";
import type { EarReport } from "./load/ear.ts";
import type { MouthOrder, MouthReport } from "./load/mouth.ts";
import { withParleyServer } from "./parley-server.ts";
import { type BenchRow, formatRows } from "./row.ts";

/** About half a minute: server and two agents, a process each, Opus at 20 ms, loopback. */
export async function run(): Promise<BenchRow[]> {
  const { spoken, heard } = await converse();
  return rowsOf(spoken, heard);
}

/** As long: the mouth's way to the server loses 3 % and varies by 30 ms each way. */
export async function runRough(): Promise<BenchRow[]> {
  const { spoken, heard } = await converse(ROUGH);
  return roughRowsOf(spoken, heard);
}

async function converse(
  network?: LinkConditions,
): Promise<{ readonly spoken: MouthReport; readonly heard: EarReport }> {
  return await withParleyServer(async (_, target) => {
    const ear = new BenchProcess(new URL("./load/ear.ts", import.meta.url), [JSON.stringify(target)]);
    let mouth: BenchProcess | undefined;
    try {
      const { agentId } = await ear.next<{ readonly agentId: string }>(START_TIMEOUT);
      const counts = { turns: TURNS, markersPerTurn: MARKERS_PER_TURN };
      const order: MouthOrder = { target, callee: agentId, ...counts, ...(network && { network }) };
      mouth = new BenchProcess(new URL("./load/mouth.ts", import.meta.url), [JSON.stringify(order)]);
      const spoken = await mouth.next<MouthReport>(RUN_TIMEOUT);
      return { spoken, heard: await ear.next<EarReport>(RUN_TIMEOUT) };
    } finally {
      await mouth?.stop();
      await ear.stop();
    }
  });
}

/** Milliseconds from each marker spoken to the first one heard after it, within `longest`; markers that were not heard are left out. */
export function delaysOf(
  spokenAt: readonly number[],
  heardAt: readonly number[],
  longest = LONGEST_DELAY_MS,
): number[] {
  const delays: number[] = [];
  for (const spoken of spokenAt) {
    const heard = heardAt.find((at) => at >= spoken && at < spoken + longest);
    if (heard !== undefined) delays.push(heard - spoken);
  }
  return delays;
}

function roughRowsOf(spoken: MouthReport, heard: EarReport): BenchRow[] {
  const delays = delaysOf(spoken.spokenAt, heard.heardAt, LONGEST_ROUGH_DELAY_MS);
  if (delays.length < spoken.spokenAt.length * ENOUGH_ROUGH) {
    throw new Error(`of ${spoken.spokenAt.length} markers spoken ${delays.length} were heard`);
  }
  const common = { name: "mouth to ear, 3 % lost, 30 ms jitter", better: "less" } as const;
  const all = summarise(delays);
  const made = (heard.concealed / (heard.concealed + heard.speech)) * 100;
  const found = `${delays.length} of ${spoken.spokenAt.length} markers heard`;
  return [
    {
      ...{ ...common, metric: "p50", value: all.p50, unit: "ms", target: ROUGH_TARGET_MS },
      note: `P6; ${found}; 30 ms one way on the mouth's side; pieces written up to ${spoken.latest.toFixed(1)} ms late`,
    },
    { ...common, metric: "p99", value: all.p99, unit: "ms", target: ROUGH_TARGET_MS, note: "P6" },
    { ...common, metric: "concealed", value: made, unit: "%", target: ROUGH_CONCEALED, note: "P6" },
    {
      ...{ ...common, metric: "longest missing", value: heard.longestGap, unit: "ms", target: ROUGH_GAP_MS },
      note: "P6",
    },
  ];
}

function rowsOf(spoken: MouthReport, heard: EarReport): BenchRow[] {
  const delays = delaysOf(spoken.spokenAt, heard.heardAt);
  if (delays.length < spoken.spokenAt.length * ENOUGH) {
    throw new Error(`of ${spoken.spokenAt.length} markers spoken ${delays.length} were heard`);
  }
  const name = "mouth to ear";
  const all = summarise(delays);
  const captureToPlay = summarise(heard.captureToPlay);
  const handedOver = summarise(heard.handedOverLate);
  return [
    {
      ...{ name, metric: "p50", value: all.p50, unit: "ms", target: TARGET_MS, better: "less" },
      note: `P5; Opus 20 ms, ${TURNS} turns, ${delays.length} of ${spoken.spokenAt.length} markers heard; pieces written up to ${spoken.latest.toFixed(1)} ms late`,
    },
    { name, metric: "p99", value: all.p99, unit: "ms", target: TARGET_MS, better: "less", note: "P5" },
    {
      ...{ name, metric: "capture to play p50", value: captureToPlay.p50, unit: "ms", better: "less" },
      note: "20 ms frame, network, playout delay; the rest is the codec's look-ahead and hand-over",
    },
    { name, metric: "capture to play p99", value: captureToPlay.p99, unit: "ms", better: "less" },
    { name, metric: "PCM handed over late p99", value: handedOver.p99, unit: "ms", better: "less" },
    {
      ...{ name, metric: "concealed", unit: "%", better: "less" },
      value: (heard.concealed / (heard.concealed + heard.speech)) * 100,
    },
  ];
}

function summarise(values: readonly number[]) {
  const latencies = new Latencies();
  for (const value of values) latencies.record(value);
  return latencies.summary();
}

const TURNS = 10;
const MARKERS_PER_TURN = 10;
const TARGET_MS = 60;
/** Beyond it a marker heard is another one. */
const LONGEST_DELAY_MS = 200;
/** Share of markers that must be found for the figures to mean anything. */
const ENOUGH = 0.95;
/** Conditions and targets of P6. Markers come 203 ms apart: a delay is told from a later marker's up to that. */
const ROUGH: LinkConditions = { delay: 30, jitter: 30, loss: 0.03 };
const ROUGH_TARGET_MS = 150;
const ROUGH_CONCEALED = 4;
const ROUGH_GAP_MS = 60;
const LONGEST_ROUGH_DELAY_MS = 203;
/** A marker with a frame of it lost may not be found. */
const ENOUGH_ROUGH = 0.8;
const START_TIMEOUT = 60_000;
const RUN_TIMEOUT = 60_000;

if (import.meta.main) process.stdout.write(`${formatRows(await run())}\n`);
