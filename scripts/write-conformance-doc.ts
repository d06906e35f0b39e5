/** Writes docs/conformance.md from the rows. `npm run docs:conformance`; a test fails while the page is stale. */
import { writeFileSync } from "node:fs";
import { GROUPS } from "../test/conformance/groups.ts";
import { isOpen, type Row, type RowGroup, type TestName } from "../test/conformance/row.ts";

/** The page that belongs to the present rows. */
export function conformancePage(): string {
  const rows = GROUPS.flatMap((group) => group.rows);
  return `${INTRODUCTION}
${countsOf(rows)}

| group | rows | proved | not done |
|---|---|---|---|
${GROUPS.map(groupLine).join("\n")}
${GROUPS.map(groupTable).join("")}`;
}

function countsOf(rows: readonly Row[]): string {
  const { proved, notDone } = split(rows);
  const open = rows.filter(isOpen).length;
  const openToo = open === 0 ? "" : ` ${open} of these are still open.`;
  return `**${rows.length} rows: ${proved} proved by tests, ${notDone} not done, with the reason.${openToo}**`;
}

function split(rows: readonly Row[]): { readonly proved: number; readonly notDone: number } {
  const proved = rows.filter(({ proof }) => "tests" in proof).length;
  return { proved, notDone: rows.length - proved };
}

function groupLine({ title, rows }: RowGroup): string {
  const { proved, notDone } = split(rows);
  return `| ${title} | ${rows.length} | ${proved} | ${notDone} |`;
}

function groupTable({ title, rows }: RowGroup): string {
  return `
## ${title}

| id | level | binds | requirement | source | verdict |
|---|---|---|---|---|---|
${rows.map(rowLine).join("\n")}
`;
}

function rowLine(row: Row): string {
  const { id, level, binds, requirement, source } = row;
  return `| ${[id, level, binds, cell(requirement), cell(source), verdict(row)].join(" | ")} |`;
}

function verdict(row: Row): string {
  const { proof } = row;
  if ("tests" in proof) return `proved by ${proof.tests.map(testLine).join(",<br>")}`;
  if (isOpen(row)) return `open: ${cell(proof.notDone)}`;
  const [, later] = /^not yet: (.*)$/s.exec(proof.notDone) ?? [];
  return later === undefined
    ? `not done, because ${cell(proof.notDone)}`
    : `not done yet, because ${cell(later)}`;
}

function testLine({ file, name }: TestName): string {
  return `${code(file)} › ${code(name)}`;
}

/** A code span; within a table even there a pipe ends the cell. */
function code(text: string): string {
  const fence = text.includes("`") ? "``" : "`";
  return `${fence}${cell(text)}${fence}`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}

const INTRODUCTION = `# Conformance

What the AGTP drafts ask of a media server and of the agents that use it, statement by statement, and the test that proves that
Parley does it. A row without a test says why it is not done. \`npm test\` fails when a named test is missing, was skipped or
failed, and when a row has neither a test nor a reason; \`npm run test:long\` does so for tests in \`test/long/\`.

SEED is AGTP-COMMUNICATION (draft-hood-agtp-communication-00), of which every statement, header, status code and scope token has a
row. Of its companions those statements have one that touch a media server: BASE (independent-agtp-09), SESSION (agtp-session-00), BIND
(agtp-bindings-00), IDENT (agtp-identifiers-02), CERT (agtp-agent-cert-03), TRUST (agtp-trust-02), LOG (agtp-log-02), API (agtp-api-01),
COMP (agtp-composition-01) and PRES (agtp-presence-00). Levels are the drafts' own; "stated" is what is said without a keyword. A MUST NOT
names what must not be. The words are ours. [deviations.md](deviations.md) says where Parley departs from the drafts or fills in
what they leave open.

This page is generated from \`test/conformance/rows/\` by \`npm run docs:conformance\`.
`;

if (import.meta.main) writeFileSync(new URL("../docs/conformance.md", import.meta.url), conformancePage());
