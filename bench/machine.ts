/** What the figures were measured on. */
import { cpus, loadavg, release, totalmem } from "node:os";

export interface MachineFacts {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly node: string;
  readonly platform: string;
  readonly kernel: string;
  /** Runnable processes over the last minute before the run: above the cores, other work disturbs the figures. */
  readonly loadAverage: number;
}

export function machineFacts(): MachineFacts {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    kernel: release(),
    loadAverage: Math.round((loadavg()[0] ?? Number.NaN) * 100) / 100,
  };
}

/** The facts as one line above a table. */
export function formatMachine(facts: MachineFacts): string {
  const { cpu, cores, memoryGiB, node, platform, kernel, loadAverage } = facts;
  return `${cpu}, ${cores} cores, ${memoryGiB} GiB, ${platform}, kernel ${kernel}, Node ${node}, load ${loadAverage}`;
}
