import { BenchProcess } from "./bench-process.ts";
import { type BenchRow, formatRows } from "./row.ts";

/**
 * The sender of RFC 8867's case 5.1 on the real QUIC stack, beside the same case on virtual time. Three and a half minutes: the case is
 * 100 s long, and runs in real time, once through the UDP emulator and once through the kernel's own bottleneck.
 */
export async function run(seconds = WHOLE_CASE): Promise<BenchRow[]> {
  const process = new BenchProcess(new URL("./load/rfc8867-quic.ts", import.meta.url), [String(seconds)]);
  try {
    return (await process.next<{ readonly rows: BenchRow[] }>(2 * seconds * 1_000 + START_TIMEOUT)).rows;
  } finally {
    await process.stop();
  }
}

/** Seconds. */
const WHOLE_CASE = 100;
const START_TIMEOUT = 60_000;

if (import.meta.main)
  process.stdout.write(`${formatRows(await run(Number(process.argv[2] ?? WHOLE_CASE)))}\n`);
