/** Attribution-Records: signed, chained and durable (target P11), and taking the log up again (the store's part of P12). */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createSigner, random } from "../platform/node/sodium.ts";
import { RecordChain, SessionLink } from "../signaling/record-chain.ts";
import type { LogEntry, RecordLog } from "../signaling/record-log.ts";
import { openLmdbLog } from "../store/lmdb-log.ts";
import { type BenchRow, formatRows } from "./row.ts";

/** About ten seconds, in a fresh log under `out/`, on the disk of the checkout. */
export async function run(): Promise<BenchRow[]> {
  const out = fileURLToPath(new URL("../out/", import.meta.url));
  mkdirSync(out, { recursive: true });
  const folder = mkdtempSync(`${out}bench-records-`);
  try {
    const log = await openLmdbLog(folder);
    const signed = await appendSteadily(log, signedRecords());
    const writtenBySigned = (log.head()?.chainSeq ?? -1) + 1;
    const bare = await appendSteadily(log, bareRecords(writtenBySigned));
    await fillTo(log, RESTART_RECORDS);
    const records = (log.head()?.chainSeq ?? -1) + 1;
    await log.close();
    const openings = await reopen(folder, records);
    const load = `${IN_FLIGHT} in flight, ${SECONDS} s`;
    const name = "records signed, chained, durable";
    const wait = { name, unit: "ms", better: "less", note: "from append to durable, at that load" } as const;
    return [
      {
        name,
        metric: "sustained",
        value: signed.perSecond,
        unit: "records/s",
        target: SUSTAINED_TARGET,
        better: "more",
        note: `${SESSIONS} sessions, ${load}`,
      },
      { ...wait, metric: "append p50", value: signed.p50 },
      { ...wait, metric: "append p99", value: signed.p99 },
      {
        name: "records durable, not signed",
        metric: "sustained",
        value: bare.perSecond,
        unit: "records/s",
        better: "more",
        note: `${load}: what the log alone takes`,
      },
      {
        name: "record log opened",
        metric: "p50",
        value: percentile(openings, 0.5),
        unit: "ms",
        target: OPEN_TARGET_MS,
        better: "less",
        note: `${records} records, chain head read`,
      },
    ];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Keeps {@link IN_FLIGHT} appends of one record under way for {@link SECONDS}; latencies in milliseconds. */
async function appendSteadily(
  log: RecordLog,
  next: () => LogEntry,
): Promise<{ perSecond: number; p50: number; p99: number }> {
  const waits: number[] = [];
  const start = performance.now();
  const end = start + SECONDS * 1_000;
  const worker = async (): Promise<void> => {
    while (performance.now() < end) {
      const before = performance.now();
      await log.append([next()]);
      waits.push(performance.now() - before);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  const perSecond = Math.round(waits.length / ((performance.now() - start) / 1_000));
  waits.sort((a, b) => a - b);
  return { perSecond, p50: percentile(waits, 0.5), p99: percentile(waits, 0.99) };
}

/** Records as a server signs them for its answers, round robin over {@link SESSIONS} sessions. */
function signedRecords(): () => LogEntry {
  const owner = { agentId: "a".repeat(64), ownerId: "bench", serverId: "127.0.0.1" };
  const chain = new RecordChain(owner, createSigner(random(32)));
  const sessions = Array.from({ length: SESSIONS }, (_, i) => new SessionLink(`bench-session-${i}`));
  const hash = "b".repeat(64);
  let count = 0;
  return () => {
    const fields = {
      requestId: `request-${count}`,
      responseId: `response-${count}`,
      status: 200,
      method: "QUERY",
      path: "/sessions/bench",
      requestHash: hash,
      resultHash: hash,
      counterpartyAgentId: "c".repeat(64),
    };
    const record = chain.next(fields, Date.now(), sessions[count++ % SESSIONS]);
    const { chainSeq, auditId, jws, sessionId, sessionSeq } = record;
    return { kind: "record", chainSeq, auditId, jws, sessionId, sessionSeq };
  };
}

/** Entries as long as signed records. */
function bareRecords(first: number): () => LogEntry {
  const jws = "x".repeat(1_000);
  let chainSeq = first;
  return () => {
    const auditId = Buffer.from(random(32)).toString("hex");
    return {
      kind: "record",
      chainSeq: chainSeq++,
      auditId,
      jws,
      sessionId: undefined,
      sessionSeq: undefined,
    };
  };
}

async function fillTo(log: RecordLog, records: number): Promise<void> {
  const first = (log.head()?.chainSeq ?? -1) + 1;
  const next = bareRecords(first);
  for (let at = first; at < records; at += FILL_GROUP) {
    await log.append(Array.from({ length: Math.min(FILL_GROUP, records - at) }, next));
  }
}

/** Milliseconds from opening the log to having its head, sorted. */
async function reopen(folder: string, records: number): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < 7; i++) {
    const start = performance.now();
    const log = await openLmdbLog(folder);
    const head = log.head();
    times.push(performance.now() - start);
    await log.close();
    if (head?.chainSeq !== records - 1) throw new Error("the log came back with another head");
  }
  return times.sort((a, b) => a - b);
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

const SECONDS = 3;
const IN_FLIGHT = 64;
const SESSIONS = 200;
const RESTART_RECORDS = 100_000;
const FILL_GROUP = 2_000;
const SUSTAINED_TARGET = 5_000;
const OPEN_TARGET_MS = 150;

if (import.meta.main) process.stdout.write(`${formatRows(await run())}\n`);
