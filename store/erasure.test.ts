/** Erasing in the log: what is taken, what stands in its place, and what is left of it on the disk. */
import {
  closeSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open } from "lmdb";
import { describe, expect, onTestFinished, test } from "vitest";
import { Revocations } from "../signaling/certificate/revocations.ts";
import { forgottenMark } from "../signaling/forgotten.ts";
import type { RecordFields } from "../signaling/record-chain.ts";
import {
  RecordChain,
  SessionLink,
  verifyServerChain,
  verifySessionChain,
} from "../signaling/record-chain.ts";
import type { LogEntry, RecordLog } from "../signaling/record-log.ts";
import { type ErasedRecord, makeTombstone, readTombstone } from "../signaling/tombstone.ts";
import { strictVerifier } from "../test/keys.ts";
import { CALL_TIME, must, SERVER } from "../test/signed-call.ts";
import { openLmdbLog } from "./lmdb-log.ts";
import { createMemoryLog } from "./memory-log.ts";

const [ADA, BOB] = ["a".repeat(64), "b".repeat(64)];
const DAY = 86_400_000;
const KEY = SERVER.identity.publicKey;
const tombstone = (record: ErasedRecord) => makeTombstone(record, SERVER.identity, CALL_TIME);

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "parley-erasure-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function inFolder(folder: string): Promise<RecordLog> {
  const log = await openLmdbLog(folder);
  onTestFinished(() => log.close());
  return log;
}

/** Writes a server's life: requests of two agents, and calls between them, an hour apart. */
class Life {
  readonly #chain = new RecordChain(
    { agentId: SERVER.genesis.agentId, ownerId: "example.org", serverId: "parley.test" },
    SERVER.identity,
  );
  readonly #log: RecordLog;
  now = CALL_TIME;

  constructor(log: RecordLog) {
    this.#log = log;
  }

  async note(fields: Partial<RecordFields>, link?: SessionLink, more: object = {}, before: LogEntry[] = []) {
    const record = this.#chain.next({ status: 200, ...fields }, this.now, link);
    const { chainSeq, auditId, jws, sessionId, sessionSeq } = record;
    await this.#log.append([
      ...before,
      { kind: "record", chainSeq, auditId, jws, sessionId, sessionSeq, ...more },
    ]);
    this.now += 60_000;
    return record;
  }

  async register(agentId: string) {
    const bytes = new TextEncoder().encode(`documents of ${agentId}`);
    await this.#log.append([{ kind: "agent", agentId, genesis: bytes, identityDocument: bytes }]);
    await this.note({
      counterpartyAgentId: agentId,
      extra: { counterparty_owner_id: `owner-${agentId[0]}` },
    });
  }

  async call(sessionId: string, ends = [ADA, BOB], isOver = true) {
    const link = new SessionLink(sessionId);
    for (const [leg, agentId] of ends.entries()) {
      const artifact = { kind: "artifact", sessionId, index: leg, artifact: "genesis", leg } as const;
      const established = { counterpartyAgentId: agentId, event: "session-established" };
      await this.note(established, link, { participant: agentId }, [
        { ...artifact, bytes: new TextEncoder().encode(`kept of ${agentId}`) },
      ]);
    }
    const reason = { event: "session-terminated", extra: { reason: "done", by: ends[0] as string } };
    if (isOver) await this.note(reason, link, { closesSession: true, isLifeEvent: true });
  }

  /** What the switchboard does with the outcome. */
  async conclude(number: number) {
    const record = this.#chain.next(
      { status: 0, event: "records-erased", extra: { erasure: number } },
      this.now,
    );
    const { chainSeq, auditId, jws } = record;
    await this.#log.append([
      { kind: "erased", erasure: number },
      { kind: "record", chainSeq, auditId, jws, sessionId: undefined, sessionSeq: undefined },
    ]);
  }
}

/** Ada and Bob are known, talk twice, and ask something in between. */
async function lived(log: RecordLog): Promise<Life> {
  const life = new Life(log);
  await life.register(ADA);
  await life.register(BOB);
  await life.call("sess-1");
  await life.note({ counterpartyAgentId: BOB, path: "/clock" });
  await life.note({ path: `/agents/${ADA}`, counterpartyAgentId: BOB });
  await life.call("sess-2");
  await life.note({ counterpartyAgentId: BOB, path: "/clock" });
  return life;
}

function isZeros(bytes: Uint8Array): boolean {
  return bytes.length > 0 && bytes.every((byte) => byte === 0);
}

function chainOf(log: RecordLog) {
  return must(verifyServerChain(log.chain(0, 1_000), { publicKey: KEY }, strictVerifier));
}

const logs = [
  ["memory", async () => createMemoryLog()],
  ["lmdb", () => inFolder(newFolder())],
] as const;

describe.each(logs)("erasing in the log in %s", (_, create) => {
  test("an agent: whatever names it, what its sessions left, its documents; the chain and the sessions' hold", async () => {
    const log = await create();
    const life = await lived(log);
    const before = chainOf(log);
    const outcome = await log.erase({ kind: "agent", agentId: ADA }, tombstone);
    await life.conclude(outcome.number);
    const after = chainOf(log);
    const erased = after.filter((place) => place.kind === "erased");
    expect(outcome).toMatchObject({ number: 1, records: erased.length, artifacts: 4 });
    expect(after.slice(0, -1).map(({ auditId }) => auditId)).toEqual(before.map(({ auditId }) => auditId));
    expect(JSON.stringify(after.map(({ payload }) => payload))).not.toContain(ADA);
    // Hers: registered, twice in two calls each, and the record that names her in its path.
    expect(erased).toHaveLength(6);
    for (const sessionId of ["sess-1", "sess-2"]) {
      const records = log.sessionRecords(sessionId, 0, 10);
      const places = must(verifySessionChain(records, { publicKey: KEY, sessionId }, strictVerifier));
      expect(places.map(({ kind }) => kind)).toEqual(["erased", "record", "erased"]);
      expect(log.session(sessionId)?.artifacts).toEqual([]);
    }
    expect([...log.agents()].map(({ agentId }) => agentId)).toEqual([BOB]);
    expect([...log.forgotten()]).toEqual([forgottenMark(ADA)]);
    expect(log.sessionsOf(ADA, 1_000, 9)).toEqual([]);
    expect(log.sessionsOf(BOB, 1_000, 9).map(({ sessionId }) => sessionId)).toEqual(["sess-2", "sess-1"]);
    expect(log.events(-1, 10)).toEqual([]);
    expect(log.pendingErasures()).toEqual([]);
    const [first] = erased;
    expect(log.record(String(first?.auditId))).toBe(first?.jws);
  });

  test("an agent whose certificates were revoked: they stay revoked, and nothing says whose they were", async () => {
    const log = await create();
    const life = await lived(log);
    const revoked = { agentId: ADA, reason: "key-compromise", effectiveAt: CALL_TIME } as const;
    await log.append([
      { kind: "revocation", ...revoked, serial: "1dc6", issuerKeyId: "f".repeat(64) },
      { kind: "revocation", ...revoked, serial: "2ab7", issuerKeyId: undefined },
      { kind: "revocation", ...revoked, agentId: BOB, serial: "2ab7", issuerKeyId: undefined },
    ]);
    const { number } = await log.erase({ kind: "agent", agentId: ADA }, tombstone);
    await life.conclude(number);
    const kept = [...log.revocations()];
    expect(kept).toHaveLength(3);
    expect(JSON.stringify(kept)).not.toContain(ADA);
    const revocations = new Revocations();
    revocations.load(kept);
    const find = (agentId: string, serial: string, issuerKeyId: string) =>
      revocations.find({ agentId, serial, issuerKeyId, authorities: [] } as never, CALL_TIME)?.reason;
    expect(find(ADA, "1dc6", "f".repeat(64))).toBe("key-compromise");
    expect(find(BOB, "1dc6", "f".repeat(64))).toBe("key-compromise");
    expect(find(ADA, "2ab7", "e".repeat(64))).toBe("key-compromise");
    expect(find(BOB, "2ab7", "e".repeat(64))).toBe("key-compromise");
    expect(find(ADA, "1dc6", "e".repeat(64))).toBeUndefined();
    expect(find("c".repeat(64), "2ab7", "e".repeat(64))).toBeUndefined();
  });

  test("a session: its records and artifacts, and nothing else", async () => {
    const log = await create();
    const life = await lived(log);
    const { number, records, artifacts } = await log.erase(
      { kind: "session", sessionId: "sess-1" },
      tombstone,
    );
    await life.conclude(number);
    expect({ records, artifacts }).toEqual({ records: 3, artifacts: 2 });
    expect(log.session("sess-1")?.records.every((jws) => readTombstone(jws).ok)).toBe(true);
    expect(log.session("sess-2")?.artifacts).toHaveLength(2);
    expect(log.sessionsOf(ADA, 1_000, 9).map(({ sessionId }) => sessionId)).toEqual(["sess-2"]);
    expect([...log.agents()]).toHaveLength(2);
    expect(chainOf(log).filter(({ kind }) => kind === "erased")).toHaveLength(3);
  });

  test("by age: what was over before, not what tells of agents, not a call that is up or ended later", async () => {
    const log = await create();
    const life = new Life(log);
    await life.register(ADA);
    await life.note({ event: "agent-suspended", extra: { agent_id: ADA } });
    await life.note({ event: "certificate-revoked", extra: { agent_id: ADA, certificate_serial: "1dc6" } });
    await life.call("sess-old");
    await life.call("sess-up", [ADA, BOB], false);
    life.now += 2 * DAY;
    const before = life.now;
    await life.call("sess-new");
    const target = { kind: "age", before } as const;
    const outcome = await log.erase(target, tombstone);
    await life.conclude(outcome.number);
    expect(outcome).toMatchObject({ records: 4, artifacts: 2 });
    const kinds = chainOf(log).map(({ kind }) => kind);
    expect(kinds.slice(0, 6)).toEqual(["erased", "record", "record", "erased", "erased", "erased"]);
    expect(kinds.slice(6)).toEqual(new Array(6).fill("record"));
    expect(log.session("sess-up")?.artifacts).toHaveLength(2);
    const again = await log.erase(target, tombstone);
    expect(again).toMatchObject({ number: 2, records: 0, artifacts: 0 });
  });

  test("by age: what tells of agents' status, of certificates and of erasures stays, and no other record", async () => {
    const log = await create();
    const life = new Life(log);
    const kept = [
      ...["agent-registered", "agent-activated", "agent-suspended", "agent-deprecated", "agent-retired"],
      ...["certificate-revoked", "records-erased"],
    ];
    for (const event of [...kept, "notified"]) await life.note({ event });
    await log.erase({ kind: "age", before: life.now }, tombstone);
    const left = chainOf(log).filter(({ kind }) => kind === "record");
    expect(left.map(({ payload }) => payload.event)).toEqual(kept);
  });

  test("goes on where it was broken off, and counts and names all of it", async () => {
    const log = await create();
    const life = await lived(log);
    const whole = createMemoryLog();
    await lived(whole);
    const expected = await whole.erase({ kind: "agent", agentId: ADA }, tombstone);
    let signed = 0;
    const broken = log.erase({ kind: "agent", agentId: ADA }, (record) => {
      signed += 1;
      if (signed === 4) throw new Error("killed");
      return tombstone(record);
    });
    await expect(broken).rejects.toThrow("killed");
    const [pending] = log.pendingErasures();
    expect(pending).toEqual({ number: 1, target: { kind: "agent", agentId: ADA } });
    const outcome = await log.erase({ kind: "agent", agentId: ADA }, tombstone, 1);
    expect(outcome.digest).toBe(expected.digest);
    expect(outcome.records).toBe(expected.records);
    await life.conclude(1);
    expect(log.pendingErasures()).toEqual([]);
  });
});

describe("on the disk", () => {
  const holds = (folder: string, text: string): boolean =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .some((entry) => readFileSync(join(entry.parentPath, entry.name)).includes(text));

  test("nothing of what was erased is left in the folder when the record of it is durable", async () => {
    const folder = newFolder();
    const log = await inFolder(folder);
    const life = await lived(log);
    const payload = Buffer.from(`"counterparty_agent_id":"${ADA}"`);
    // In base64url the text stands in one of three ways.
    const shown = [0, 1, 2].map((shift) =>
      Buffer.concat([Buffer.alloc(shift, 32), payload])
        .toString("base64url")
        .slice(4, -6),
    );
    const isThere = () => holds(folder, ADA) || shown.some((text) => holds(folder, text));
    expect(isThere()).toBe(true);
    const { number } = await log.erase({ kind: "agent", agentId: ADA }, tombstone);
    await life.conclude(number);
    expect(isThere()).toBe(false);
    expect(existsSync(join(folder, "compacting"))).toBe(false);
    // It is the same log, and takes more.
    await life.note({ counterpartyAgentId: BOB });
    await log.close();
    chainOf(await inFolder(folder));
  });

  test("a folder copied in the middle of it is rid of it too once the erasure was gone on with", async () => {
    const [folder, copy] = [newFolder(), newFolder()];
    const log = await inFolder(folder);
    await lived(log);
    const broken = log.erase({ kind: "agent", agentId: ADA }, () => {
      throw new Error("killed");
    });
    await expect(broken).rejects.toThrow("killed");
    cpSync(folder, copy, { recursive: true });
    const later = await inFolder(copy);
    expect([...later.agents()].map(({ agentId }) => agentId)).toEqual([BOB]);
    const [pending] = later.pendingErasures();
    const { number } = await later.erase(
      pending?.target ?? { kind: "age", before: 0 },
      tombstone,
      pending?.number,
    );
    await later.append([{ kind: "erased", erasure: number }]);
    expect(holds(copy, ADA)).toBe(false);
    chainOf(later);
  });

  test("a log that was killed before it could rid its file does so when it is opened", async () => {
    const [folder, copy] = [newFolder(), newFolder()];
    const log = await inFolder(folder);
    await lived(log);
    const { number } = await log.erase({ kind: "agent", agentId: ADA }, tombstone);
    const ending = log.append([{ kind: "erased", erasure: number }]);
    // The commit is durable a moment before the file is replaced: as good as any kill in between.
    while (log.pendingErasures().length > 0) await new Promise((resolve) => setImmediate(resolve));
    cpSync(join(folder, "data.mdb"), join(copy, "data.mdb"));
    await ending;
    await inFolder(copy);
    expect(holds(copy, ADA)).toBe(false);
  });

  test("a log killed between the second name of its old file and the new file's place is as it was", async () => {
    const folder = newFolder();
    const log = await inFolder(folder);
    await lived(log);
    const { number } = await log.erase({ kind: "agent", agentId: ADA }, tombstone);
    const ending = log.append([{ kind: "erased", erasure: number }]);
    while (log.pendingErasures().length > 0) await new Promise((resolve) => setImmediate(resolve));
    const killed = newFolder();
    cpSync(join(folder, "data.mdb"), join(killed, "data.mdb"));
    await ending;
    mkdirSync(join(killed, "compacting"));
    linkSync(join(killed, "data.mdb"), join(killed, "compacting", "old.mdb"));
    const again = await inFolder(killed);
    expect(chainOf(again)).toEqual(chainOf(log));
    expect(holds(killed, ADA)).toBe(false);
    expect(readdirSync(killed).sort()).toEqual(["data.mdb", "lock.mdb"]);
  });

  test("zeros are written over the old file before it goes", async () => {
    const folder = newFolder();
    const log = await inFolder(folder);
    const life = await lived(log);
    const file = openSync(join(folder, "data.mdb"), "r");
    onTestFinished(() => closeSync(file));
    const { number } = await log.erase({ kind: "agent", agentId: ADA }, tombstone);
    await life.conclude(number);
    expect(isZeros(readFileSync(file))).toBe(true);
  });

  test("while zeros are written over the old file the log is read and others' turns come", async () => {
    const folder = newFolder();
    const log = await inFolder(folder);
    const life = await lived(log);
    const bytes = new Uint8Array(16 * 1024 * 1024).fill(1);
    await log.append([
      { kind: "artifact", sessionId: "sess-3", index: 0, artifact: "counters", leg: undefined, bytes },
    ]);
    const { number } = await log.erase({ kind: "agent", agentId: ADA }, tombstone);
    let isOver = false;
    const ending = life.conclude(number).then(() => {
      isOver = true;
    });
    const old = join(folder, "compacting", "old.mdb");
    let turns = 0;
    while (!isOver) {
      await new Promise((resolve) => setImmediate(resolve));
      if (!existsSync(old) || !log.head()) continue;
      turns += 1;
    }
    await ending;
    expect(turns).toBeGreaterThan(1);
  });

  test("zeros are written over an old file that a killed process left, but not where it has names elsewhere", async () => {
    const folder = newFolder();
    await (await inFolder(folder)).close();
    const [old, backup] = [join(folder, "compacting", "old.mdb"), join(folder, "backup.mdb")];
    const leave = () => {
      mkdirSync(join(folder, "compacting"));
      cpSync(join(folder, "data.mdb"), old);
    };
    leave();
    const file = openSync(old, "r");
    onTestFinished(() => closeSync(file));
    await (await inFolder(folder)).close();
    expect(isZeros(readFileSync(file))).toBe(true);
    leave();
    linkSync(old, backup);
    await inFolder(folder);
    expect(existsSync(old)).toBe(false);
    expect(isZeros(readFileSync(backup))).toBe(false);
  });

  test("sessions of a log from before they were listed by agent are listed when it is opened", async () => {
    const folder = newFolder();
    const log = await inFolder(folder);
    await lived(log);
    await log.close();
    const root = open({ path: folder, noSubdir: false, maxDbs: 20 });
    await root.openDB({ name: "participants" }).clearAsync();
    await root.openDB<number, string>({ name: "format" }).remove("participants");
    await root.close();
    const again = await inFolder(folder);
    expect(again.sessionsOf(ADA, 1_000, 9).map(({ sessionId }) => sessionId)).toEqual(["sess-2", "sess-1"]);
  });
});
