import { isOpen, OPEN_ROWS_ALLOWED, type Row, type TestName } from "./row.ts";

/** What became of one test; several tests of a file may have one name. */
export interface Outcome {
  readonly file: string;
  readonly name: string;
  readonly state: "passed" | "failed" | "skipped" | "pending";
}

/** A run of tests that is over. */
export interface Run {
  /** Test files that ran, also those in which no test could be found. */
  readonly files: ReadonlySet<string>;
  readonly outcomes: readonly Outcome[];
  /** All files were asked for: one that did not run is missing. */
  readonly isWhole: boolean;
  /** The long tests, which answer for the names marked `long` and for no others. */
  readonly isLong: boolean;
}

/** What is wrong with the rows themselves, one line each. */
export function faultsOfRows(rows: readonly Row[], openAllowed: boolean = OPEN_ROWS_ALLOWED): string[] {
  const faults: string[] = [];
  const seen = new Set<string>();
  for (const row of rows) {
    if (seen.has(row.id)) faults.push(`${row.id}: another row has this id`);
    seen.add(row.id);
    if ("tests" in row.proof) {
      for (const test of row.proof.tests) {
        const isLong = test.file.startsWith("test/long/");
        if (isLong !== (test.long ?? false))
          faults.push(`${row.id}: ${told(test)} is marked wrongly as long or not`);
      }
    } else if (row.proof.notDone.replace(/^not yet: /, "").trim() === "") {
      faults.push(`${row.id}: neither a test nor a reason`);
    } else if (isOpen(row) && !openAllowed) {
      faults.push(`${row.id}: ${row.proof.notDone}`);
    }
  }
  return faults;
}

/** What the rows lack after a run, one line each: tests that are missing, and tests that did not pass. */
export function unproved(rows: readonly Row[], run: Run): string[] {
  const states = new Map<string, Outcome["state"][]>();
  for (const outcome of run.outcomes) {
    const key = told(outcome);
    states.set(key, [...(states.get(key) ?? []), outcome.state]);
  }
  const lacking: string[] = [];
  for (const { id, proof } of rows) {
    if (!("tests" in proof)) continue;
    for (const test of proof.tests) {
      if ((test.long ?? false) !== run.isLong) continue;
      if (!run.isWhole && !run.files.has(test.file)) continue;
      const found = states.get(told(test));
      const bad = found?.find((state) => state !== "passed");
      if (found === undefined) lacking.push(`${id}: ${told(test)}: there is no such test`);
      else if (bad !== undefined) lacking.push(`${id}: ${told(test)}: ${bad}`);
    }
  }
  return lacking;
}

function told({ file, name }: Pick<TestName, "file" | "name">): string {
  return `${file} › ${name}`;
}
