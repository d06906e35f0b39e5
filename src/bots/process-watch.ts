/** Looks at a process from outside, as the kernel tells it. Linux alone: elsewhere nothing is told. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface ProcessSample {
  /** User and system time of all its threads, seconds. */
  readonly cpuSeconds: number;
  /** Resident memory, bytes. */
  readonly memory: number;
  /** The same without pages of files, which the system takes back when it needs them: programs, and a server's record log. */
  readonly ownMemory: number;
  /** Open file descriptors; undefined where they may not be counted. */
  readonly handles: number | undefined;
}

/** The process as it is now; undefined when it is gone or this machine does not tell. */
export function sampleProcess(pid: number): ProcessSample | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return {
      cpuSeconds: cpuSecondsOf(readFileSync(`/proc/${pid}/stat`, "utf8")),
      memory: bytesOf("VmRSS", status),
      ownMemory: bytesOf("RssAnon", status),
      handles: countOf(`/proc/${pid}/fd`),
    };
  } catch {
    return undefined;
  }
}

/** The process of this machine that has a UDP port open; undefined when there is none, or not ours to see. */
export function processOfUdpPort(port: number): number | undefined {
  const wanted = port.toString(16).toUpperCase().padStart(4, "0");
  const sockets = new Set<string>();
  for (const table of ["/proc/net/udp", "/proc/net/udp6"]) {
    for (const line of linesOf(table)) {
      const fields = line.trim().split(/\s+/);
      if (fields[1]?.endsWith(`:${wanted}`)) sockets.add(`socket:[${fields[9]}]`);
    }
  }
  if (sockets.size === 0) return undefined;
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .find((pid) => hasOpen(pid, sockets));
}

/** Seconds of user and system time in the text of `/proc/<pid>/stat` (proc(5)). */
export function cpuSecondsOf(stat: string): number {
  // The second field is the program's name in parentheses and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  if (!Number.isFinite(ticks)) throw new Error("/proc tells no CPU time");
  return ticks / TICKS_PER_SECOND;
}

function bytesOf(field: string, status: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? Number.NaN) * 1_024;
}

function hasOpen(pid: number, sockets: ReadonlySet<string>): boolean {
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).some((fd) => sockets.has(readlinkSync(`${folder}/${fd}`)));
  } catch {
    return false;
  }
}

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, "utf8").split("\n").slice(1);
  } catch {
    return [];
  }
}

function countOf(folder: string): number | undefined {
  try {
    return readdirSync(folder).length;
  } catch {
    return undefined;
  }
}

/** USER_HZ: 100 on every architecture Linux runs Node on. */
const TICKS_PER_SECOND = 100;
