import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import type { LogEntry, RecordLog } from "../signaling/record-log.ts";
import { openLmdbLog } from "./lmdb-log.ts";
import { createMemoryLog } from "./memory-log.ts";

type RecordEntry = Extract<LogEntry, { kind: "record" }>;
type ArtifactEntry = Extract<LogEntry, { kind: "artifact" }>;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

const logs: [string, () => Promise<RecordLog>][] = [
  ["memory", async () => createMemoryLog()],
  [
    "lmdb",
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "parley-log-"));
      cleanups.push(() => rmSync(folder, { recursive: true }));
      return await openLmdbLog(folder);
    },
  ],
];

describe.each(logs)("the record log in %s", (_name, create) => {
  async function open(): Promise<RecordLog> {
    const log = await create();
    cleanups.push(() => log.close());
    return log;
  }

  test("an empty log has no head, no sessions and no agents", async () => {
    const log = await open();
    expect(log.head()).toBeUndefined();
    expect(log.record(auditId(0))).toBeUndefined();
    expect(log.session("s")).toBeUndefined();
    expect([...log.agents()]).toEqual([]);
  });

  test("records are found by Audit-ID, the last one is the head", async () => {
    const log = await open();
    await log.append([record(0), record(1)]);
    await log.append([record(2)]);
    expect(log.head()).toEqual({ chainSeq: 2, auditId: auditId(2) });
    for (let i = 0; i < 3; i++) expect(log.record(auditId(i))).toBe(record(i).jws);
    expect(log.record(auditId(3))).toBeUndefined();
  });

  test("a session's records and artifacts come in their own order, whatever order they arrived in", async () => {
    const log = await open();
    await log.append([record(0, "a", 2), artifact("a", 11), record(1, "b", 0), artifact("a", 9)]);
    await log.append([record(2, "a", 10), artifact("a", 10), record(3), record(4, "a", 1)]);
    const session = log.session("a");
    expect(session?.sessionId).toBe("a");
    expect(session?.records).toEqual([record(4).jws, record(0).jws, record(2).jws]);
    expect(session?.artifacts).toEqual([artifact("a", 9), artifact("a", 10), artifact("a", 11)]);
    expect(log.session("b")).toEqual({ sessionId: "b", records: [record(1).jws], artifacts: [] });
    expect(log.session("c")).toBeUndefined();
  });

  test("open sessions are those that began and have no closing record, with the place where they go on", async () => {
    const log = await open();
    expect([...log.openSessions()]).toEqual([]);
    await log.append([artifact("early", 0), record(0, "a", 0), record(1, "b", 0), artifact("a", 0)]);
    await log.append([record(2, "a", 1), record(3, "ab", 0), artifact("a", 1), record(4)]);
    const byName = () => [...log.openSessions()].sort((x, y) => (x.sessionId < y.sessionId ? -1 : 1));
    expect(byName()).toEqual([
      { sessionId: "a", sessionSeq: 1, auditId: auditId(2), artifacts: 2 },
      { sessionId: "ab", sessionSeq: 0, auditId: auditId(3), artifacts: 0 },
      { sessionId: "b", sessionSeq: 0, auditId: auditId(1), artifacts: 0 },
    ]);
    await log.append([{ ...record(5, "a", 2), closesSession: true }]);
    expect(byName().map(({ sessionId }) => sessionId)).toEqual(["ab", "b"]);
    expect(log.session("a")?.records).toHaveLength(3);
  });

  test("of an open session the newest artifact of each name is found, and what was kept for it last", async () => {
    const log = await open();
    const named = (index: number, landmark: string, sessionId = "a") =>
      ({ ...artifact(sessionId, index), landmark }) as const;
    const state = (sessionId: string, ...values: number[]) =>
      ({ kind: "session-state", sessionId, bytes: bytes(...values) }) as const;
    await log.append([named(0, "offer"), artifact("a", 1), named(2, "receipt 1/0"), record(0, "a", 0)]);
    await log.append([named(0, "receipt 1/0", "ab"), state("ab", 9), record(1, "ab", 0)]);
    expect(log.landmarks("a")).toEqual([artifact("a", 0), artifact("a", 2)]);
    expect([...log.openSessions()].find(({ sessionId }) => sessionId === "a")).not.toHaveProperty("state");
    await log.append([state("a", 1), named(11, "receipt 1/0"), artifact("a", 12)]);
    await log.append([state("a", 2, 3)]);
    expect(log.landmarks("a")).toEqual([artifact("a", 0), artifact("a", 11)]);
    expect([...log.openSessions()]).toMatchObject([
      { sessionId: "a", artifacts: 13, state: bytes(2, 3) },
      { sessionId: "ab", state: bytes(9) },
    ]);
    await log.append([named(13, "counters"), { ...record(2, "a", 1), closesSession: true }]);
    expect(log.landmarks("a")).toEqual([]);
    expect(log.landmarks("ab")).toEqual([artifact("ab", 0)]);
    expect([...log.openSessions()].map(({ sessionId }) => sessionId)).toEqual(["ab"]);
    expect(log.session("a")?.artifacts).toHaveLength(6);
    expect(log.landmarks("never")).toEqual([]);
  });

  test("revocations are all told, the last of an authority or agent and a serial number in place of the one before", async () => {
    const log = await open();
    const revoked = (serial: string, issuerKeyId?: string, effectiveAt = 5) => ({
      ...{ agentId: "a".repeat(64), serial, issuerKeyId, reason: "superseded", effectiveAt },
    });
    const [first, second] = [revoked("1a", "b".repeat(64)), revoked("1a")];
    await log.append([record(0), { kind: "revocation", ...first }]);
    await log.append([
      record(1),
      { kind: "revocation", ...second },
      { kind: "revocation", ...revoked("2b") },
    ]);
    await log.append([record(2), { kind: "revocation", ...revoked("2b", undefined, 3) }]);
    const all = [...log.revocations()].sort((x, y) =>
      `${x.serial}${x.issuerKeyId}`.localeCompare(`${y.serial}${y.issuerKeyId}`),
    );
    expect(all).toEqual([first, second, revoked("2b", undefined, 3)]);
  });

  test("sessions whose names begin alike do not mix", async () => {
    const log = await open();
    await log.append([
      artifact("s", 0),
      artifact("s1", 0),
      artifact("s 1", 0),
      artifact("", 0),
      record(0, "s1", 0),
    ]);
    expect(log.session("s")?.artifacts).toEqual([artifact("s", 0)]);
    expect(log.session("s")?.records).toEqual([]);
    expect(log.session("")?.artifacts).toEqual([artifact("", 0)]);
  });

  test("a session's records are read page by page, from any place on, and no other session's", async () => {
    const log = await open();
    const entries = Array.from({ length: 150 }, (_, seq) => [
      record(2 * seq, "s", seq),
      record(2 * seq + 1, "s1", seq),
    ]).flat();
    await log.append(entries.slice(0, 100));
    await log.append(entries.slice(100));
    const jws = (from: number, to: number) =>
      entries
        .filter((entry) => entry.sessionId === "s")
        .slice(from, to)
        .map((entry) => entry.jws);
    const pages = [0, 64, 128].flatMap((from) => [log.sessionRecords("s", from, 64)]);
    expect(pages).toEqual([jws(0, 64), jws(64, 128), jws(128, 150)]);
    expect(log.sessionRecords("s", 70, 64)).toEqual(jws(70, 134));
    expect(log.sessionRecords("s", 149, 64)).toEqual(jws(149, 150));
    for (const [name, from, count] of [
      ["s", 150, 64],
      ["s", 1_000, 64],
      ["s", 3, 0],
      ["none", 0, 64],
      ["", 0, 64],
    ] as const)
      expect(log.sessionRecords(name, from, count), `${name} ${from} ${count}`).toEqual([]);
  });

  test("artifacts come back byte for byte, of every kind and leg", async () => {
    const log = await open();
    const kinds = ["genesis", "offer", "core-witness", "checkpoint", "counters"] as const;
    const entries = kinds.map((kind, i) => ({
      ...artifact("s", i),
      artifact: kind,
      leg: [undefined, 0, 1][i % 3],
      bytes: Uint8Array.from({ length: i * 3_000 }, (_, at) => at * 7 + i),
    }));
    await log.append(entries);
    expect(log.session("s")?.artifacts).toEqual(entries);
  });

  test("what it takes and gives is copied", async () => {
    const log = await open();
    const entry = artifact("s", 0);
    const agent = { kind: "agent", agentId: "a", genesis: bytes(1, 2), identityDocument: bytes(3) } as const;
    const done = log.append([entry, agent]);
    entry.bytes.fill(0);
    agent.genesis.fill(0);
    await done;
    expect(log.session("s")?.artifacts[0]?.bytes).toEqual(artifact("s", 0).bytes);
    log.session("s")?.artifacts[0]?.bytes.fill(0);
    expect(log.session("s")?.artifacts[0]?.bytes).toEqual(artifact("s", 0).bytes);
    for (const { genesis } of log.agents()) genesis.fill(9);
    expect([...log.agents()][0]?.genesis).toEqual(bytes(1, 2));
  });

  test("an agent appended again replaces itself", async () => {
    const log = await open();
    const first = { kind: "agent", agentId: "a", genesis: bytes(1), identityDocument: bytes() } as const;
    await log.append([first, { ...first, agentId: "b", identityDocument: bytes(4, 5) }]);
    await log.append([{ ...first, identityDocument: bytes(6) }]);
    const agents = [...log.agents()].sort((x, y) => (x.agentId < y.agentId ? -1 : 1));
    expect(agents).toEqual([
      { agentId: "a", genesis: bytes(1), identityDocument: bytes(6) },
      { agentId: "b", genesis: bytes(1), identityDocument: bytes(4, 5) },
    ]);
  });

  test("an agent that registered itself is known to have, until somebody else registers it or it goes", async () => {
    const log = await open();
    const agent = { kind: "agent", agentId: "a", genesis: bytes(1), identityDocument: bytes(2) } as const;
    const other = { ...agent, agentId: "b", selfRegisteredAt: 1_767_225_600_001 } as const;
    await log.append([{ ...agent, selfRegisteredAt: 5 }, other]);
    const known = () => [...log.agents()].map(({ agentId, selfRegisteredAt }) => [agentId, selfRegisteredAt]);
    expect(known().toSorted()).toEqual([
      ["a", 5],
      ["b", 1_767_225_600_001],
    ]);
    expect([...log.agents()]).toContainEqual({
      ...{ agentId: "b", genesis: bytes(1), identityDocument: bytes(2), selfRegisteredAt: 1_767_225_600_001 },
    });
    await log.append([agent, { kind: "agent-evicted", agentId: "b" }]);
    expect(known()).toEqual([["a", undefined]]);
    await log.append([{ kind: "agent-evicted", agentId: "nobody" }]);
    expect(known()).toHaveLength(1);
  });

  test("an agent's status is the one changed last, and its changes are read newest first", async () => {
    const log = await open();
    const agent = { kind: "agent", agentId: "a", genesis: bytes(1), identityDocument: bytes() } as const;
    const change = (chainSeq: number, status: "suspended" | "active", agentId = "a") =>
      ({
        kind: "lifecycle",
        agentId,
        chainSeq,
        status,
        at: 1_000 + chainSeq,
        atLeast: "deprecated",
      }) as const;
    await log.append([agent, { ...agent, agentId: "b" }, record(0)]);
    await log.append([change(1, "suspended"), record(1)]);
    await log.append([record(2), record(3), change(3, "active")]);
    await log.append([record(4), change(4, "suspended", "b")]);
    expect([...log.agents()].map(({ agentId, changed }) => [agentId, changed]).sort()).toEqual([
      ["a", { status: "active", at: 1_003, atLeast: "deprecated" }],
      ["b", { status: "suspended", at: 1_004, atLeast: "deprecated" }],
    ]);
    expect(log.lifecycle("a", 9)).toEqual([record(3).jws, record(1).jws]);
    expect(log.lifecycle("a", 1)).toEqual([record(3).jws]);
    expect(log.lifecycle("c", 9)).toEqual([]);
  });

  test("records that tell of a life are read in order behind any place, each with the one before it", async () => {
    const log = await open();
    expect([log.events(-1, 9), log.lastEvent()]).toEqual([[], -1]);
    const telling = (chainSeq: number) => ({ ...record(chainSeq), isLifeEvent: true }) as const;
    await log.append([telling(0), record(1), telling(2)]);
    await log.append([record(3), telling(4), telling(5)]);
    const event = (chainSeq: number, previousSeq?: number) => ({
      ...{ chainSeq, previousSeq },
      jws: record(chainSeq).jws,
    });
    expect(log.events(-1, 9)).toEqual([event(0), event(2, 0), event(4, 2), event(5, 4)]);
    expect(log.events(0, 2)).toEqual([event(2, 0), event(4, 2)]);
    expect(log.events(3, 9)).toEqual([event(4, 2), event(5, 4)]);
    expect([log.events(5, 9), log.lastEvent()]).toEqual([[], 5]);
  });

  test("appends not waited for keep their order, and each resolves", async () => {
    const log = await open();
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 300 }, (_, i) => log.append([record(i, "s", i)]).then(() => order.push(i))),
    );
    expect(order).toEqual(Array.from({ length: 300 }, (_, i) => i));
    expect(log.head()?.chainSeq).toBe(299);
    expect(log.session("s")?.records).toHaveLength(300);
  });

  test("an empty append resolves", async () => {
    const log = await open();
    await log.append([]);
    expect(log.head()).toBeUndefined();
  });

  const refused: [string, LogEntry[], LogEntry[]][] = [
    ["a chain that does not begin at 0", [], [record(1)]],
    ["a gap in the chain", [record(0)], [record(2)]],
    ["a record again", [record(0)], [record(0)]],
    ["a gap within one append", [], [record(0), record(2)]],
    ["an Audit-ID that is none", [], [{ ...record(0), auditId: "F".repeat(64) }]],
    ["a session_seq taken", [record(0, "s", 0)], [record(1, "s", 0)]],
    ["an artifact's index taken", [artifact("s", 3)], [artifact("s", 3)]],
    ["an index twice in one append", [], [artifact("s", 3), artifact("s", 3)]],
    ["a negative index", [], [artifact("s", -1)]],
    ["a broken index", [], [artifact("s", 0.5)]],
  ];

  test.each(refused)("%s is refused, and the whole append with it", async (_case, before, entries) => {
    const log = await open();
    await log.append(before);
    const head = log.head();
    const good = [artifact("other", 0), record(before.filter((entry) => entry.kind === "record").length)];
    await expect(log.append([artifact("other", 0), ...entries])).rejects.toMatchObject({
      code: "field-invalid",
    });
    expect(log.session("other")).toBeUndefined();
    expect(log.head()).toEqual(head);
    await log.append(good);
    expect(log.session("other")?.artifacts).toHaveLength(1);
  });

  test("a place taken by an append still under way is taken", async () => {
    const log = await open();
    const first = log.append([artifact("s", 0), record(0, "s", 0)]);
    const invalid = { code: "field-invalid" };
    await expect(log.append([artifact("s", 0)])).rejects.toMatchObject(invalid);
    await expect(log.append([record(1, "s", 0)])).rejects.toMatchObject(invalid);
    await first;
    await expect(log.append([artifact("s", 0)])).rejects.toMatchObject(invalid);
  });

  test("close waits for what was accepted, is idempotent, and ends everything", async () => {
    const log = await open();
    const pending = log.append([record(0)]);
    await Promise.all([log.close(), log.close()]);
    await pending;
    const closed = expect.objectContaining({ code: "closed" });
    await expect(log.append([record(1)])).rejects.toEqual(closed);
    for (const read of [
      () => log.head(),
      () => log.record(auditId(0)),
      () => log.session("s"),
      () => log.agents(),
    ]) {
      expect(read).toThrow(closed);
    }
  });

  test("it gives back what any mix of appends put in", async () => {
    const sessions = ["", "a", "aa", "0198c2f4-7b1e-7cc0-9d5e-6f0a1b2c3d4e"];
    const step = fc.array(fc.tuple(fc.constantFrom(...sessions), fc.boolean()), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const log = await create();
        const wanted = new Map(
          sessions.map((id) => [id, { records: [] as string[], artifacts: [] as LogEntry[] }]),
        );
        let chainSeq = 0;
        const appends = steps.map((places) =>
          places.map(([sessionId, isRecord]) => {
            const session = wanted.get(sessionId) ?? { records: [], artifacts: [] };
            const entry = isRecord
              ? record(chainSeq++, sessionId, session.records.length)
              : artifact(sessionId, session.artifacts.length);
            if (entry.kind === "record") session.records.push(entry.jws);
            else session.artifacts.push(entry);
            return entry;
          }),
        );
        await Promise.all(appends.map((entries) => log.append(entries)));
        expect(log.head()?.chainSeq).toBe(chainSeq === 0 ? undefined : chainSeq - 1);
        for (const [sessionId, { records, artifacts }] of wanted) {
          const none = records.length === 0 && artifacts.length === 0;
          expect(log.session(sessionId)).toEqual(none ? undefined : { sessionId, records, artifacts });
        }
        await log.close();
      }),
      { numRuns: 25 },
    );
  });
});

function auditId(chainSeq: number): string {
  return createHash("sha256").update(`record ${chainSeq}`).digest("hex");
}

function record(chainSeq: number, sessionId?: string, sessionSeq?: number): RecordEntry {
  return {
    kind: "record",
    chainSeq,
    auditId: auditId(chainSeq),
    jws: `e30.${chainSeq}.c2ln`,
    sessionId,
    sessionSeq,
  };
}

function artifact(sessionId: string, index: number): ArtifactEntry {
  return {
    kind: "artifact",
    sessionId,
    index,
    artifact: "receipt",
    leg: 1,
    bytes: bytes(index & 255, 0, 255),
  };
}

function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}
