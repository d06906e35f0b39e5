import { describe, expect, test } from "vitest";
import { strictVerifier } from "../test/keys.ts";
import { ALICE, BOB, CALL_TIME, must, SERVER } from "../test/signed-call.ts";
import { auditId, bodyHash, buildRecord, readRecord, verifyRecord, ZERO_AUDIT_ID } from "./attribution.ts";
import { signJws } from "./jws.ts";
import {
  type ChainedRecord,
  type ChainOwner,
  RecordChain,
  type RecordFields,
  SessionLink,
  verifyServerChain,
  verifySessionChain,
} from "./record-chain.ts";

const owner: ChainOwner = {
  agentId: SERVER.genesis.agentId,
  ownerId: "example.org",
  serverId: "parley.test",
};
const publicKey = SERVER.identity.publicKey;
const fields: RecordFields = {
  requestId: "019b76da-a800-7000-8000-0000000000aa",
  responseId: "019b76da-a800-7000-8000-0000000000ab",
  status: 200,
  method: "QUERY",
  path: "/clock",
  requestHash: bodyHash(),
  resultHash: bodyHash(new Uint8Array([1])),
  counterpartyAgentId: ALICE.genesis.agentId,
};
const event = (name: string): RecordFields => ({ status: 0, event: name });

/** Two sessions interleaved with requests of no session. */
function history(): {
  readonly chain: RecordChain;
  readonly records: ChainedRecord[];
  readonly links: SessionLink[];
} {
  const chain = new RecordChain(owner, SERVER.identity);
  const links = ["sess-one", "sess-two"].map((id) => new SessionLink(id));
  const order = [undefined, 0, 1, 0, undefined, 1, 0] as const;
  const records = order.map((link, i) =>
    chain.next(
      link === undefined ? fields : event(`event-${i}`),
      CALL_TIME + i * 1000,
      link === undefined ? undefined : links[link],
    ),
  );
  return { chain, records, links };
}

describe("a chain", () => {
  const { chain, records, links } = history();

  test("numbers its records, and each names the one before", () => {
    expect(records.map((record) => record.chainSeq)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(records.map((record) => record.payload.previous_audit_id)).toEqual([
      ZERO_AUDIT_ID,
      ...records.slice(0, -1).map((record) => record.auditId),
    ]);
    expect(chain.head).toEqual({ chainSeq: 6, auditId: records[6]?.auditId });
  });

  test("carries the chains of its sessions inside", () => {
    expect(records.map((record) => [record.sessionId, record.sessionSeq])).toEqual([
      [undefined, undefined],
      ["sess-one", 0],
      ["sess-two", 0],
      ["sess-one", 1],
      [undefined, undefined],
      ["sess-two", 1],
      ["sess-one", 2],
    ]);
    expect(records[1]?.payload.previous_session_audit_id).toBe(ZERO_AUDIT_ID);
    expect(records[6]?.payload.previous_session_audit_id).toBe(records[3]?.auditId);
    expect(links[0]).toMatchObject({ nextSeq: 3, lastAuditId: records[6]?.auditId });
  });

  test("says whose it is, what was asked and answered, and when", () => {
    expect(records[0]?.payload).toEqual({
      audit_record_version: "1",
      agent_id: SERVER.genesis.agentId,
      owner_id: "example.org",
      server_id: "parley.test",
      request_id: fields.requestId,
      response_id: fields.responseId,
      previous_audit_id: ZERO_AUDIT_ID,
      chain_seq: 0,
      issued_at: "2026-01-01T00:00:00Z",
      status: 200,
      method: "QUERY",
      path: "/clock",
      request_hash: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      result_hash: "4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a",
      counterparty_agent_id: ALICE.genesis.agentId,
    });
    expect(records[1]?.payload).toMatchObject({
      request_id: "",
      response_id: "",
      status: 0,
      event: "event-1",
    });
  });

  test("goes on from a head, and a session from its last record", () => {
    const record = records[6] as ChainedRecord;
    const resumed = new RecordChain(owner, SERVER.identity, { chainSeq: 6, auditId: record.auditId });
    const link = new SessionLink("sess-one", { sessionSeq: 2, auditId: record.auditId });
    const next = resumed.next(event("session-terminated"), CALL_TIME, link);
    expect(next).toMatchObject({ chainSeq: 7, sessionSeq: 3 });
    expect(next.payload).toMatchObject({
      previous_audit_id: record.auditId,
      previous_session_audit_id: record.auditId,
    });
  });

  test("does not move when a record cannot be made", () => {
    const fresh = new RecordChain(owner, SERVER.identity);
    const link = new SessionLink("sess-one");
    expect(() => fresh.next({ status: 0, extra: { bad: Number.NaN } }, CALL_TIME, link)).toThrow();
    expect(fresh.head).toBeUndefined();
    expect(link.nextSeq).toBe(0);
  });
});

describe("an auditor", () => {
  const { records } = history();
  const all = records.map((record) => record.jws);
  const one = records.filter((record) => record.sessionId === "sess-one").map((record) => record.jws);
  const server = (list: readonly string[], after?: string) =>
    verifyServerChain(list, { publicKey, ...(after === undefined ? {} : { after }) }, strictVerifier);
  const session = (list: readonly string[], sessionId = "sess-one") =>
    verifySessionChain(list, { publicKey, sessionId }, strictVerifier);

  test("finds a whole chain whole, and a part of it from where it begins", () => {
    expect(must(server(all)).map((record) => record.auditId)).toEqual(
      records.map((record) => record.auditId),
    );
    expect(server(all.slice(3), records[2]?.auditId).ok).toBe(true);
    expect(server([]).ok).toBe(true);
    expect(must(session(one))).toHaveLength(3);
  });

  test.each<[what: string, list: readonly string[], at: string]>([
    ["a record left out", all.toSpliced(3, 1), "record 3"],
    ["two records swapped", all.with(2, all[3] as string).with(3, all[2] as string), "record 2"],
    ["a record twice", all.toSpliced(4, 0, all[3] as string), "record 4"],
    ["the beginning missing", all.slice(1), "record 0"],
    [
      "a record of somebody else",
      all.with(5, signJws("JWT", records[5]?.payload ?? {}, BOB.identity)),
      "record 5",
    ],
    [
      "a record rewritten",
      all.with(1, buildRecord({ ...records[1]!.payload, status: 500 }, SERVER.identity).jws),
      "record 2",
    ],
    ["no record", all.with(6, "a.b.c"), "record 6"],
  ])("names the first break of the server's chain: %s", (_what, list, at) => {
    expect(server(list)).toMatchObject({ fault: { code: "evidence-invalid", at } });
  });

  test.each<[what: string, list: readonly string[], at: string]>([
    ["a record left out", one.toSpliced(1, 1), "record 1"],
    ["the beginning missing", one.slice(1), "record 0"],
    ["a record of another session", one.toSpliced(1, 0, all[2] as string), "record 1"],
    ["a record of no session", [...one, all[0] as string], "record 3"],
    ["a record twice", [...one, one[2] as string], "record 3"],
  ])("names the first break of a session's chain: %s", (_what, list, at) => {
    expect(session(list)).toMatchObject({ fault: { code: "evidence-invalid", at } });
  });

  test("sees a gap in the numbers though each record names the one before", () => {
    const { jws } = buildRecord({ ...records[6]!.payload, session_seq: 3 }, SERVER.identity);
    expect(session([...one.slice(0, 2), jws])).toMatchObject({ fault: { at: "record 2" } });
  });

  test("sees a session's fork: the right number after the wrong record", () => {
    const payload = { ...records[6]!.payload, previous_session_audit_id: records[1]!.auditId };
    expect(session([...one.slice(0, 2), buildRecord(payload, SERVER.identity).jws])).toMatchObject({
      fault: { at: "record 2" },
    });
  });
});

describe("one record", () => {
  const { records } = history();
  const { jws, payload } = records[0] as ChainedRecord;

  test("is named by the digest of its text", () => {
    expect(auditId(jws)).toBe(records[0]?.auditId);
    expect(must(readRecord(jws))).toEqual(payload);
  });

  test.each<[what: string, changes: object, at: string]>([
    ["another version", { audit_record_version: "2" }, "record.audit_record_version"],
    ["no time", { issued_at: "now" }, "record.issued_at"],
    ["a status beyond three digits", { status: 1000 }, "record.status"],
    ["an extra that is no object", { extra: [] }, "record.extra"],
    ["a hash that is none", { request_hash: "e3" }, "record.request_hash"],
  ])("%s is refused", (_what, changes, at) => {
    const record = signJws("JWT", { ...payload, ...changes }, SERVER.identity);
    expect(verifyRecord(record, publicKey, strictVerifier)).toMatchObject({
      fault: { code: "field-invalid", at },
    });
  });

  test("may say more than we know, as other implementations' do", () => {
    const record = signJws("JWT", { ...payload, decision_id: "d-1" }, SERVER.identity);
    expect(verifyRecord(record, publicKey, strictVerifier).ok).toBe(true);
  });
});
