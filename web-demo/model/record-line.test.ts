import { expect, it } from "vitest";
import { mergeRecords, openRecord, recordDetail, recordTitle, type SessionRecord } from "./record-line.ts";

const record = (seq: number, more: Partial<SessionRecord> = {}): SessionRecord => ({
  seq,
  auditId: `audit-${seq}`,
  at: `2026-01-01T00:00:0${seq}Z`,
  status: 200,
  jws: "",
  ...more,
});

it("adds what is new in order, and never replaces what was shown", () => {
  const shown = [record(1), record(3)];
  const merged = mergeRecords(shown, [record(3, { status: 500 }), record(4), record(2)]);
  expect(merged.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
  expect(merged[2]?.status).toBe(200);
  expect(mergeRecords(merged, [record(1)])).toBe(merged);
});

it("names what a record is about, and what brought it about", () => {
  const words = (more: Partial<SessionRecord>) => [
    recordTitle(record(1, more)),
    recordDetail(record(1, more)),
  ];
  expect(words({ method: "ESTABLISH" })).toEqual(["ESTABLISH", ""]);
  expect(words({ method: "ADJUST", event: "terms.narrowed" })).toEqual(["terms narrowed", "ADJUST"]);
  expect(words({ method: "TERMINATE", event: "session-ended", reason: "hung-up" })).toEqual([
    "session ended",
    "TERMINATE, hung-up",
  ]);
  expect(words({ event: "frames_refused" })).toEqual(["frames refused", ""]);
  expect(words({})).toEqual(["status 200", ""]);
});

it("lays a signed object open, and shows what is none as it came", () => {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const jws = `${part({ alg: "EdDSA" })}.${part({ name: "Zoë" })}.c2ln`;
  expect(JSON.parse(openRecord(jws))).toEqual({
    header: { alg: "EdDSA" },
    payload: { name: "Zoë" },
    signature: "c2ln",
  });
  expect(openRecord("no jws")).toBe("no jws");
  expect(openRecord("a.b.c")).toBe("a.b.c");
});
