import { describe, expect, it } from "vitest";
import { faultsOfRows, type Outcome, type Run, unproved } from "./gate.ts";
import { GROUPS, ROWS } from "./groups.ts";
import { isOpen, type Row, type TestName } from "./row.ts";

const TEST: TestName = { file: "codecs/a.test.ts", name: "a message > is read" };
const LONG: TestName = { file: "test/long/soak.test.ts", name: "goes on", long: true };

function row(id: string, proof: Row["proof"]): Row {
  return { id, level: "MUST", binds: "server", requirement: "Something.", source: "BASE", proof };
}

function run(outcomes: readonly Outcome[], changes: Partial<Run> = {}): Run {
  const files = new Set(outcomes.map(({ file }) => file));
  return { files, outcomes, isWhole: true, isLong: false, ...changes };
}

const PROVED = row("W1", { tests: [TEST] });
const PASSED: Outcome = { ...TEST, state: "passed" };

describe("a run", () => {
  it("proves a row whose tests passed, and one with a reason", () => {
    expect(unproved([PROVED, row("W2", { notDone: "nobody asks for it" })], run([PASSED]))).toEqual([]);
  });

  it("does not prove a row whose test is missing, by file or by name", () => {
    const told = "W1: codecs/a.test.ts › a message > is read: there is no such test";
    expect(unproved([PROVED], run([]))).toEqual([told]);
    expect(unproved([PROVED], run([{ ...PASSED, name: "a message > is written" }]))).toEqual([told]);
    expect(unproved([PROVED], run([{ ...PASSED, file: "codecs/b.test.ts" }]))).toEqual([told]);
  });

  it.each(["failed", "skipped", "pending"] as const)("does not prove a row whose test is %s", (state) => {
    const told = [`W1: codecs/a.test.ts › a message > is read: ${state}`];
    expect(unproved([PROVED], run([{ ...TEST, state }]))).toEqual(told);
    expect(unproved([PROVED], run([PASSED, { ...TEST, state }])), "one of two with that name").toEqual(told);
  });

  it("answers for every test of a row", () => {
    const other = { file: "codecs/b.test.ts", name: "is read" };
    expect(unproved([row("W1", { tests: [TEST, other] })], run([PASSED]))).toHaveLength(1);
  });

  it("of some files answers for these alone, a file that did not load among them", () => {
    const partial = { isWhole: false } as const;
    expect(unproved([PROVED], run([], partial))).toEqual([]);
    expect(unproved([PROVED], run([], { ...partial, files: new Set([TEST.file]) }))).toHaveLength(1);
  });

  it("of the long tests answers for long ones, any other for the others", () => {
    const both = row("W1", { tests: [TEST, LONG] });
    expect(unproved([both], run([PASSED]))).toEqual([]);
    expect(unproved([both], run([{ ...LONG, state: "passed" }], { isLong: true }))).toEqual([]);
    expect(unproved([both], run([], { isLong: true }))).toHaveLength(1);
  });
});

describe("rows", () => {
  const open = row("W1", { notDone: `${"TO" + "DO"}(test): it is read` });

  it("with one id are named", () => {
    expect(faultsOfRows([PROVED, row("W2", PROVED.proof), PROVED])).toEqual(["W1: another row has this id"]);
  });

  it("whose work is open are named once that is not allowed any more", () => {
    expect([isOpen(open), isOpen(PROVED)]).toEqual([true, false]);
    expect(faultsOfRows([open], true)).toEqual([]);
    expect(faultsOfRows([open], false)).toHaveLength(1);
  });

  it.each(["", " ", "not yet: "])("with the reason %j have none", (notDone) => {
    expect(faultsOfRows([row("W1", { notDone })])).toEqual(["W1: neither a test nor a reason"]);
  });

  it("name long tests as long, and no others", () => {
    expect(faultsOfRows([row("W1", { tests: [LONG] })])).toEqual([]);
    expect(faultsOfRows([row("W1", { tests: [{ file: LONG.file, name: LONG.name }] })])).toHaveLength(1);
    expect(faultsOfRows([row("W1", { tests: [{ ...TEST, long: true }] })])).toHaveLength(1);
  });
});

describe("the rows of docs/conformance.md", () => {
  it("have no fault", () => {
    expect(faultsOfRows(ROWS)).toEqual([]);
  });

  it("are numbered without a gap, in their order", () => {
    const counts = { C: 76, W: 34, S: 20, I: 26, R: 17, G: 1, P: 1 };
    const expected = Object.entries(counts).flatMap(([letter, count]) =>
      Array.from({ length: count }, (_, index) => `${letter}${index + 1}`),
    );
    expect(ROWS.map(({ id }) => id)).toEqual(expected);
    expect(new Set(GROUPS.map(({ title }) => title)).size).toBe(GROUPS.length);
  });

  it("speak in sentences, and reasons in clauses", () => {
    for (const { id, requirement, proof } of ROWS) {
      expect(requirement, id).toMatch(/^[A-Z].*\.$/s);
      if ("notDone" in proof) expect(proof.notDone, id).not.toMatch(/\.$/);
    }
  });
});
