import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { open as openLmdb } from "lmdb";
import { afterEach, describe, expect, test } from "vitest";
import type { LogEntry } from "../signaling/record-log.ts";
import { MAX_WAITING_BYTES, openLmdbLog } from "./lmdb-log.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "parley-log-"));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function open(folder: string) {
  const log = await openLmdbLog(folder);
  cleanups.push(() => log.close());
  return log;
}

describe("after a restart", () => {
  test("everything is there, and the chain goes on", async () => {
    const folder = temporaryFolder();
    const agent = { kind: "agent", agentId: "a", genesis: bytes(3), identityDocument: bytes(5) } as const;
    const first = await openLmdbLog(folder);
    const state = { kind: "session-state", sessionId: "s", bytes: bytes(7) } as const;
    await first.append([record(0, "s", 0), { ...artifact("s", 0), landmark: "first" }, state, agent]);
    await first.append([record(1)]);
    expect([...first.openSessions()]).toHaveLength(1);
    await first.close();

    const second = await open(folder);
    expect(second.head()).toEqual({ chainSeq: 1, auditId: record(1).auditId });
    expect(second.record(record(0).auditId)).toBe(record(0).jws);
    expect(second.session("s")).toEqual({
      sessionId: "s",
      records: [record(0).jws],
      artifacts: [artifact("s", 0)],
    });
    const { auditId } = record(0);
    expect([...second.openSessions()]).toEqual([
      { sessionId: "s", sessionSeq: 0, auditId, artifacts: 1, state: bytes(7) },
    ]);
    expect(second.landmarks("s")).toEqual([artifact("s", 0)]);
    expect([...second.agents()]).toEqual([{ agentId: "a", genesis: bytes(3), identityDocument: bytes(5) }]);
    await expect(second.append([record(1)])).rejects.toMatchObject({ code: "field-invalid" });
    await expect(second.append([artifact("s", 0)])).rejects.toMatchObject({ code: "field-invalid" });
    await second.append([record(2, "s", 1)]);
    expect(second.session("s")?.records).toEqual([record(0).jws, record(2).jws]);
  });

  test("a log from before statuses were kept goes on as it was, and keeps them from then on", async () => {
    const folder = temporaryFolder();
    const agent = { kind: "agent", agentId: "a", genesis: bytes(3), identityDocument: bytes(5) } as const;
    const first = await openLmdbLog(folder);
    await first.append([record(0), agent]);
    await first.close();
    const raw = openLmdb({ path: folder, noSubdir: false, overlappingSync: false, maxDbs: 12 });
    for (const name of ["lifecycle", "landmarks", "states"]) await raw.openDB({ name }).drop();
    await raw.close();

    const second = await openLmdbLog(folder);
    expect(second.lifecycle("a", 9)).toEqual([]);
    expect([...second.agents()]).toEqual([{ agentId: "a", genesis: bytes(3), identityDocument: bytes(5) }]);
    await second.append([
      record(1),
      { kind: "lifecycle", agentId: "a", chainSeq: 1, status: "retired", at: 7, atLeast: "active" },
    ]);
    await second.close();
    const third = await open(folder);
    expect([...third.agents()]).toMatchObject([{ agentId: "a", changed: { status: "retired", at: 7 } }]);
    expect(third.lifecycle("a", 9)).toEqual([record(1).jws]);
  });

  test("killed at any moment, five times: nothing acknowledged is lost, no append is there in part", async () => {
    const folder = temporaryFolder();
    let acknowledged = -1;
    for (let round = 0; round < 5; round++) {
      acknowledged = Math.max(acknowledged, await writeUntilKilled(folder, 20 + Math.random() * 130));
      const log = await openLmdbLog(folder);
      const last = log.head()?.chainSeq ?? -1;
      const session = log.session("s");
      await log.close();

      expect(last).toBeGreaterThanOrEqual(acknowledged);
      // Killed before its first record, it left no session.
      expect(session?.records ?? []).toHaveLength(last + 1);
      for (const [i, jws] of session?.records.entries() ?? []) {
        if (jws !== `${i}.${"x".repeat(i % 700)}`) expect.fail(`record ${i} is not what was written`);
      }
      const indexes = (session?.artifacts ?? []).map((entry) => entry.index);
      expect(indexes).toEqual(Array.from({ length: 3 * (last + 1) }, (_, i) => i));
      for (const { index, bytes } of session?.artifacts ?? []) {
        const [at, part] = [Math.floor(index / 3), index % 3];
        const intact =
          bytes.length === 40 * part + (at % 50) && bytes.every((byte, i) => byte === ((i + at) & 255));
        if (!intact) expect.fail(`artifact ${index} is not what was written`);
      }
    }
    expect(acknowledged).toBeGreaterThan(100);
  });
});

describe("the folder", () => {
  test("is made with its parents, for the owner alone", async () => {
    const folder = join(temporaryFolder(), "deep", "down.d");
    const log = await open(folder);
    await log.append([record(0)]);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(existsSync(join(folder, "data.mdb"))).toBe(true);
  });

  test("that others may look into holds files for its owner alone", async () => {
    const folder = temporaryFolder();
    chmodSync(folder, 0o755);
    const log = await open(folder);
    await log.append([record(0)]);
    for (const file of ["data.mdb", "lock.mdb"])
      expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600);
  });

  test("below or in place of a file, or where nobody may write, is refused by name", async () => {
    const folder = temporaryFolder();
    const file = join(folder, "file");
    writeFileSync(file, "x");
    const places = [file, join(file, "x"), "/proc/parley/log", "/sys/kernel"];
    const locked = join(folder, "locked");
    mkdirSync(locked);
    chmodSync(locked, 0o500);
    // The superuser may write anywhere.
    if (process.getuid?.() !== 0) places.push(locked);
    for (const place of places) {
      const failed = openLmdbLog(place);
      await expect(failed, place).rejects.toMatchObject({ code: "data-folder-unwritable" });
      await expect(failed, place).rejects.toThrow(place);
    }
  });

  test.each<[string, Uint8Array]>([
    ["zeros", new Uint8Array(65_536)],
    ["text", new TextEncoder().encode("hi")],
    ["junk", Uint8Array.from({ length: 8_192 }, (_, i) => i * 31)],
  ])("with %s for a log is refused, not opened and not touched", async (_name, content) => {
    const folder = temporaryFolder();
    const file = join(folder, "data.mdb");
    writeFileSync(file, content);
    await expect(openLmdbLog(folder)).rejects.toMatchObject({ code: "data-folder-broken" });
    expect(statSync(file).size).toBe(content.length);
  });

  test("with a folder for a log is refused", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "data.mdb"));
    await expect(openLmdbLog(folder)).rejects.toMatchObject({ code: "data-folder-broken" });
  });

  test("of another version is refused", async () => {
    const folder = temporaryFolder();
    const root = openLmdb({ path: folder, noSubdir: false, overlappingSync: false });
    await root.openDB({ name: "format" }).put("version", 2);
    await root.close();
    await expect(openLmdbLog(folder)).rejects.toMatchObject({ code: "data-folder-broken" });
  });
});

test("what waits for the disk is bounded; the append over the cap is refused whole", async () => {
  const log = await open(temporaryFolder());
  const large = (index: number): LogEntry => ({
    ...artifact("s", index),
    bytes: new Uint8Array(MAX_WAITING_BYTES / 4),
  });
  const accepted = [log.append([large(0)]), log.append([large(1)]), log.append([large(2)])];
  await expect(log.append([record(0), large(3)])).rejects.toMatchObject({ code: "capacity" });
  await Promise.all(accepted);
  await log.append([record(0), artifact("s", 3)]);
  expect(log.session("s")?.artifacts).toHaveLength(4);
});

test("a commit that fails rejects its appends and all later ones; what was acknowledged stays", async () => {
  const folder = temporaryFolder();
  // A file size limit stands in for a full disk.
  const child = spawn("bash", [
    "-c",
    'ulimit -f 1000; exec "$0" "$@"',
    process.execPath,
    "--eval",
    FILL_DISK,
    folder,
  ]);
  const output = await finished(child);
  const { acknowledged, codes } = JSON.parse(output) as { acknowledged: number; codes: string[] };
  expect(codes).toEqual(["data-folder-unwritable", "data-folder-unwritable", "data-folder-unwritable"]);
  expect(acknowledged).toBeGreaterThan(10);
  const log = await open(folder);
  expect(log.head()?.chainSeq).toBe(acknowledged);
});

const FILL_DISK = `
  process.on("SIGXFSZ", () => {});
  import(${JSON.stringify(new URL("./lmdb-log.ts", import.meta.url).href)}).then(async ({ openLmdbLog }) => {
    const log = await openLmdbLog(process.argv[1]);
    const record = (chainSeq) => ({
      kind: "record", chainSeq, auditId: chainSeq.toString(16).padStart(64, "0"), jws: "x".repeat(9000),
    });
    let next = 0;
    for (;;) {
      const both = await Promise.allSettled([log.append([record(next)]), log.append([record(next + 1)])]);
      if (both.every(({ status }) => status === "fulfilled")) { next += 2; continue; }
      const later = await Promise.allSettled([log.append([])]);
      console.log(JSON.stringify({ acknowledged: next - 1, codes: [...both, ...later].map(({ reason }) => reason?.code) }));
      break;
    }
    await log.close();
  });`;

async function finished(child: ChildProcess): Promise<string> {
  let output = "";
  child.stdout?.on("data", (chunk) => {
    output += chunk;
  });
  await new Promise((resolve) => child.on("close", resolve));
  return output;
}

/** The last position that the writer said was acknowledged before it was killed, `ms` after its start. */
async function writeUntilKilled(folder: string, ms: number): Promise<number> {
  const writer = fileURLToPath(new URL("../test/processes/record-log-writer.ts", import.meta.url));
  const child = spawn(process.execPath, [writer, folder]);
  const output = finished(child);
  await new Promise((resolve) => child.stdout.once("data", resolve));
  await sleep(ms);
  child.kill("SIGKILL");
  const whole = (await output).split("\n").slice(1, -1);
  return Number(whole.at(-1) ?? -1);
}

function record(chainSeq: number, sessionId?: string, sessionSeq?: number) {
  const auditId = chainSeq.toString(16).padStart(64, "0");
  return { kind: "record", chainSeq, auditId, jws: `e30.${chainSeq}.c2ln`, sessionId, sessionSeq } as const;
}

function artifact(sessionId: string, index: number) {
  return { kind: "artifact", sessionId, index, artifact: "checkpoint", leg: 0, bytes: bytes(index) } as const;
}

function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}
