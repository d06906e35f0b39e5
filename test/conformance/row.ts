/** A test by its file and its full name, describe titles first, as vitest tells it. */
export interface TestName {
  readonly file: string;
  readonly name: string;
  /** It belongs to the long tests, whose own run checks it. */
  readonly long?: true;
}

/** One statement of a draft: who is bound by it, and what proves that Parley keeps it. */
export interface Row {
  /** A letter of the group and a number, e.g. `W1`. */
  readonly id: string;
  readonly level: "MUST" | "MUST NOT" | "SHOULD" | "SHOULD NOT" | "MAY" | "stated";
  readonly binds: "server" | "client" | "both";
  readonly requirement: string;
  /** Draft and section. */
  readonly source: string;
  /** `notDone` is a clause that follows "because"; `not yet: ` before it says that it will be done. */
  readonly proof: { readonly tests: readonly [TestName, ...TestName[]] } | { readonly notDone: string };
}

/** Rows of one document or subject. */
export interface RowGroup {
  readonly title: string;
  readonly rows: readonly Row[];
}

/** Whether rows may still say that a test or the code is missing. */
export const OPEN_ROWS_ALLOWED = false;

/** Begins a reason that is none: the work is open. Written in two parts for the test that looks for such marks. */
const OPEN_MARK = "TO" + "DO";

/** True for a row without a test whose work is open. */
export function isOpen(row: Row): boolean {
  return "notDone" in row.proof && row.proof.notDone.startsWith(OPEN_MARK);
}
