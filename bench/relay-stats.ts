import { fstatSync } from "node:fs";
import { createInterface } from "node:readline";

/** What a baseline relay counts. */
export interface RelayCounts {
  /** Datagrams read from either side of a pair. */
  received: number;
  /** Datagrams handed to the other side. */
  sent: number;
  /** Datagrams whose pair has no other side yet, or that could not be sent. */
  dropped: number;
}

/**
 * Answers SIGUSR2, and each line `stats` on stdin, with one JSON line on stdout: `cpu` (microseconds since the process began, user
 * and system), `rss` (bytes), `uptime` (seconds) and the counts. The process ends with SIGTERM, SIGINT, or its parent.
 */
export function answerStats(counts: Readonly<RelayCounts>): void {
  const print = (): void => {
    console.log(
      JSON.stringify({
        cpu: process.cpuUsage(),
        rss: process.memoryUsage.rss(),
        uptime: process.uptime(),
        ...counts,
      }),
    );
  };
  process.on("SIGUSR2", print);
  const input = createInterface({ input: process.stdin });
  input.on("line", (line) => {
    if (line.trim() === "stats") print();
  });
  // A pipe that closes means that whoever started this is gone; a terminal or /dev/null means nothing.
  const stdin = fstatSync(0);
  if (stdin.isFIFO() || stdin.isSocket()) input.on("close", () => process.exit(0));
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => process.exit(0));
}
