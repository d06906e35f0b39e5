/** One measured figure, as benchmarks return it and tables and JSONL files print it. */
export interface BenchRow {
  /** What was measured, e.g. `frame decode`. */
  readonly name: string;
  /** Which figure of it, e.g. `p99`. */
  readonly metric: string;
  readonly value: number;
  readonly unit: string;
  /** The value to reach, where `targets` names one. */
  readonly target?: number;
  /** Which way is good. */
  readonly better: "less" | "more";
  /** How to read it: sizes, load, what bounds it. */
  readonly note?: string;
}

/** Whether a row reaches its target; undefined where it has none. */
export function meetsTarget(row: BenchRow): boolean | undefined {
  if (row.target === undefined) return undefined;
  return row.better === "less" ? row.value <= row.target : row.value >= row.target;
}

/** Rows as an aligned table for a terminal, one line each, with the verdict where there is a target. */
export function formatRows(rows: readonly BenchRow[]): string {
  const cells = rows.map((row) => {
    const met = meetsTarget(row);
    const target = row.target === undefined ? "" : `${row.better === "less" ? "<=" : ">="} ${row.target}`;
    const verdict = met === undefined ? "" : met ? "met" : "missed";
    return [row.name, row.metric, formatValue(row.value), row.unit, target, verdict, row.note ?? ""];
  });
  const widths = (cells[0] ?? []).map((_, column) =>
    Math.max(...cells.map((line) => line[column]?.length ?? 0)),
  );
  return cells
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function formatValue(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toPrecision(4);
}
