/** Writes docs/cli.md from the commands' own help. `npm run docs:cli`; a test fails while the page is stale. */
import { writeFileSync } from "node:fs";
import type { Command } from "commander";
import { EXIT, EXIT_MEANINGS } from "../src/cli/exit-codes.ts";
import { createProgram } from "../src/cli/program.ts";

/** The page that belongs to the present commands. */
export function cliPage(): string {
  const program = createProgram(() => {});
  const rows = Object.entries(EXIT).map(
    ([name, code]) => `| ${code} | ${EXIT_MEANINGS[name as keyof typeof EXIT].replaceAll("|", "\\|")} |`,
  );
  const commands = program.commands.flatMap((command) => [
    `## parley ${command.name()}\n\n${block(command)}`,
    ...command.commands.map((below) => `### parley ${command.name()} ${below.name()}\n\n${block(below)}`),
  ]);
  return `${INTRODUCTION}
${block(program)}

## Exit codes

| code | meaning |
|---|---|
${rows.join("\n")}

A second SIGINT or SIGTERM ends any command at once with 128 and the number of the signal.

${commands.join("\n\n")}
`;
}

/** What `--help` prints, as it prints it. */
function block(command: Command): string {
  let text = "";
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
  });
  command.outputHelp();
  return `\`\`\`text\n${text.trimEnd()}\n\`\`\``;
}

const INTRODUCTION = `# The command line

\`parley\` runs a server and everything around a call. Results are on standard output, everything else on standard error;
with \`--json\` standard output holds one JSON object and nothing else. A failure is one line, \`parley: CODE: message\`, with a
code from [errors.md](errors.md), and an exit code from the table below; with \`--json\` it is also an object
\`{"error": {"code", "message", "at", "details"}}\`.

In a checkout without a build, \`node --conditions=source src/cli/main.ts\` stands for \`parley\`.

This page is generated from the commands' own help by \`npm run docs:cli\`.
`;

if (import.meta.main) writeFileSync(new URL("../docs/cli.md", import.meta.url), cliPage());
