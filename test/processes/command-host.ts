/** Runs one `parley` command line after another: each is a line of JSON on standard input, its output is followed by an end mark and its exit code. */
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { run } from "../../src/cli/program.ts";

for await (const line of createInterface({ input: process.stdin })) {
  const code = await run(JSON.parse(line) as string[]);
  for (const fd of [1, 2]) writeSync(fd, `\0${code}\0`);
}
process.exit();
