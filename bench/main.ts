/** `npm run bench`: every benchmark in one run, one table, and a file of the figures under `out/bench/`. */
import { appendFileSync, mkdirSync } from "node:fs";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { run as setupStorm } from "./call-setup.ts";
import { run as churn } from "./churn.ts";
import { run as rfc8867 } from "./congestion.ts";
import { run as rfc8867Quic } from "./congestion-quic.ts";
import { run as flood } from "./flood.ts";
import { run as frameDecode } from "./frame-decode.ts";
import { run as hopCost } from "./hop-cost.ts";
import { run as interrupt } from "./interrupt.ts";
import { formatMachine, machineFacts } from "./machine.ts";
import { run as mouthToEar, runRough as mouthToEarRough } from "./mouth-to-ear.ts";
import { run as records } from "./records.ts";
import { runFan as fan, run as pairs, runSockets as sockets } from "./relay-cost.ts";
import { run as relayPath } from "./relay-path.ts";
import { type BenchRow, formatRows, meetsTarget } from "./row.ts";
import { run as verifyThreads } from "./verify-threads.ts";
import { run as webRtc } from "./webrtc.ts";

const BENCHES: Readonly<Record<string, () => Promise<BenchRow[]>>> = {
  "frame-decode": frameDecode,
  "hop-cost": hopCost,
  "relay-path": relayPath,
  records,
  "mouth-to-ear": mouthToEar,
  interrupt,
  "setup-storm": setupStorm,
  pairs,
  fan,
  "verify-threads": verifyThreads,
  sockets,
  flood,
  churn,
  webrtc: () => webRtc(),
  rfc8867,
  "mouth-to-ear-rough": mouthToEarRough,
  "rfc8867-quic": () => rfc8867Quic(),
};

/** What `--short` measures in the place of these. */
const SHORT: Readonly<Record<string, () => Promise<BenchRow[]>>> = {
  pairs: () => pairs([100]),
  webrtc: () => webRtc(10),
  "rfc8867-quic": () => rfc8867Quic(70),
};

/** Names that stand for several. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  /** How a conversation sounds, and what it costs: P1 to P3, P5 to P7 and P10. */
  media: ["pairs", "mouth-to-ear", "mouth-to-ear-rough", "interrupt", "rfc8867", "rfc8867-quic"],
};

const USAGE = `npm run bench -- [NAME]... [--short] [--json]

Measures, prints a table and appends the figures to out/bench/<time>.jsonl. A missed target is no failure; a figure that
is missing is.

  NAME     one of: ${Object.keys(BENCHES).join(", ")}; default: all;
           media: ${GROUPS.media?.join(", ")}
  --short  the first 70 s of rfc8867-quic, one load beside 50 calls for pairs, and 10 s of WebRTC calls
  --json   prints the figures as JSON lines instead of the table
`;

const chosen = readArguments();
const json = chosen.json;
const facts = machineFacts();
const folder = fileURLToPath(new URL("../out/bench/", import.meta.url));
mkdirSync(folder, { recursive: true });
const file = `${folder}${new Date().toISOString().replaceAll(":", "-")}.jsonl`;
record({ kind: "machine", at: new Date().toISOString(), ...facts });
if (!json) process.stdout.write(`${formatMachine(facts)}\n\n`);

const rows: BenchRow[] = [];
const missing: string[] = [];
for (const name of chosen.names) {
  const started = performance.now();
  process.stderr.write(`${name} …`);
  try {
    const bench = (chosen.short ? SHORT[name] : undefined) ?? BENCHES[name];
    const measured = (await bench?.()) ?? [];
    for (const row of measured) {
      record({ kind: "figure", bench: name, ...row, met: meetsTarget(row) });
      if (!Number.isFinite(row.value)) missing.push(`${name}: ${row.name}, ${row.metric} is ${row.value}`);
    }
    if (measured.length === 0) missing.push(`${name}: measured nothing`);
    rows.push(...measured);
  } catch (error) {
    missing.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
  process.stderr.write(` ${((performance.now() - started) / 1_000).toFixed(0)} s\n`);
}
for (const what of missing) record({ kind: "missing", what });
if (!json && rows.length > 0) process.stdout.write(`\n${formatRows(rows)}\n`);
process.stderr.write(`\nFigures: ${relative(process.cwd(), file)}\n`);
for (const what of missing) process.stderr.write(`Not measured: ${what}\n`);
process.exitCode = missing.length === 0 ? 0 : 1;

function record(line: object): void {
  const text = `${JSON.stringify(line)}\n`;
  appendFileSync(file, text);
  if (json) process.stdout.write(text);
}

function readArguments(): { names: readonly string[]; json: boolean; short: boolean } {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        json: { type: "boolean", default: false },
        short: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) {
      process.stdout.write(USAGE);
      process.exit(0);
    }
    const chosen = positionals.flatMap((name) => GROUPS[name] ?? [name]);
    const names = chosen.length > 0 ? [...new Set(chosen)] : Object.keys(BENCHES);
    const unknown = names.find((name) => !Object.hasOwn(BENCHES, name));
    if (unknown !== undefined) throw new Error(`There is no benchmark "${unknown}".`);
    return { names, json: values.json, short: values.short };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exit(2);
  }
}
