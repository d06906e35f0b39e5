/** The scorecard of RFC 8867 on virtual time, with a picture of every case in `out/bench/`. */
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CASES } from "./congestion/cases.ts";
import { plotCase } from "./congestion/plot.ts";
import { runCase } from "./congestion/run-case.ts";
import { score, TARGETS } from "./congestion/scorecard.ts";
import type { BenchRow } from "./row.ts";

/** Runs that differ in what the encoders and the short downloads draw; the first is the one in the pictures. */
const SEEDS = [1, 2, 3];

/** Rows of all cases: of each figure the worst of the runs. */
export async function run(): Promise<BenchRow[]> {
  const folder = fileURLToPath(new URL("../out/bench/", import.meta.url));
  mkdirSync(folder, { recursive: true });
  return CASES.flatMap((plan) => {
    const runs = SEEDS.map((seed) => runCase(plan, seed));
    const picture = `rfc8867-${plan.name}.svg`;
    if (runs[0] !== undefined) writeFileSync(`${folder}${picture}`, plotCase(runs[0]));
    const scores = runs.map(score);
    const isCompeting = plan.tcp !== undefined;
    const least = (pick: (of: (typeof scores)[number]) => number | undefined) =>
      Math.min(...scores.map((each) => pick(each) ?? Number.NaN));
    const most = (pick: (of: (typeof scores)[number]) => number) => Math.max(...scores.map(pick));
    const name = `RFC 8867 ${plan.name}`;
    const percent = { unit: "%", better: "more" } as const;
    const targets = isCompeting ? undefined : TARGETS;
    const rows: BenchRow[] = [
      {
        ...{ name, metric: "utilisation", value: 100 * least(({ utilisation }) => utilisation), ...percent },
        ...target(targets && 100 * targets.utilisation),
        note: `P10; ${plan.title}; worst of ${SEEDS.length} runs; ${picture}`,
      },
      {
        ...{ name, metric: "queue p95", value: most(({ delay95 }) => delay95), unit: "ms", better: "less" },
        ...target(targets?.delay95),
      },
      {
        ...{ name, metric: "loss", value: 100 * most(({ loss }) => loss), unit: "%", better: "less" },
        ...target(targets && 100 * targets.loss),
      },
    ];
    if (scores[0]?.jain !== undefined)
      rows.push({
        ...{ name, metric: "Jain index", value: least(({ jain }) => jain), unit: "", better: "more" },
        ...target(targets?.jain),
      });
    if (isCompeting)
      rows.push({
        ...{
          name,
          metric: "of its fair share",
          value: 100 * least(({ fairShare }) => fairShare),
          ...percent,
        },
        ...target(100 * TARGETS.fairShare),
      });
    return rows;
  });
}

function target(value: number | undefined): { readonly target?: number; readonly note?: string } {
  return value === undefined ? {} : { target: value, note: "P10" };
}
