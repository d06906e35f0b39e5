import { expect, test } from "vitest";
import { strictVerifier } from "../test/keys.ts";
import { ALICE, BOB, SESSION_ID } from "../test/signed-call.ts";
import { type AttributionPayload, buildRecord, ZERO_AUDIT_ID } from "./attribution.ts";
import { isLifeEvent, makeLifeEvent, verifyLifeEvent } from "./life-events.ts";

const server = {
  agentId: ALICE.genesis.agentId,
  signer: ALICE.identity,
  publicKey: ALICE.identity.publicKey,
};
const payload: AttributionPayload = {
  audit_record_version: "1",
  agent_id: ALICE.genesis.agentId,
  owner_id: "acme.example",
  server_id: "media.example",
  request_id: "",
  response_id: "",
  previous_audit_id: ZERO_AUDIT_ID,
  issued_at: "2026-11-21T20:00:00.000Z",
  status: 0,
  session_id: SESSION_ID,
  session_seq: 7,
  event: "session-terminated",
  extra: { reason: "hangup" },
};
const record = buildRecord(payload, ALICE.identity);

function made(previousSeq?: number): string {
  const event = makeLifeEvent({ chainSeq: 41, previousSeq, jws: record.jws }, server);
  if (!event.ok) throw new Error(event.fault.message);
  return event.value;
}

test("an event says what its record says, and which event came before", () => {
  expect(verifyLifeEvent(made(39), server, strictVerifier)).toEqual({
    ok: true,
    value: {
      v: 1,
      server: ALICE.genesis.agentId,
      seq: 41,
      previous_seq: 39,
      event: "session-terminated",
      at: payload.issued_at,
      session_id: SESSION_ID,
      details: { reason: "hangup" },
      audit_id: record.auditId,
      record: record.jws,
    },
  });
  expect(verifyLifeEvent(made(), server, strictVerifier)).toMatchObject({ value: { previous_seq: -1 } });
});

test("another key, another server and another record are refused", () => {
  const other = { agentId: BOB.genesis.agentId, publicKey: BOB.identity.publicKey };
  expect(verifyLifeEvent(made(), other, strictVerifier)).toMatchObject({
    fault: { code: "signature-invalid" },
  });
  const named = { ...server, agentId: BOB.genesis.agentId };
  expect(verifyLifeEvent(made(), named, strictVerifier)).toMatchObject({ fault: { at: "event.server" } });
  const moved = made().replace(/\.[^.]+\./, (part) => `${part.slice(0, -3)}AAA.`);
  expect(verifyLifeEvent(moved, server, strictVerifier).ok).toBe(false);
});

test("what is no record makes no event", () => {
  expect(makeLifeEvent({ chainSeq: 0, previousSeq: undefined, jws: "a.b.c" }, server).ok).toBe(false);
});

test("an establishment counts once, refusals and heartbeats not at all", () => {
  const counts = (event: string | undefined, sessionSeq?: number) => isLifeEvent({ event, sessionSeq });
  expect([counts("session-established", 0), counts("session-established", 1)]).toEqual([true, false]);
  expect([counts("session-expired", 9), counts("agent-retired")]).toEqual([true, true]);
  expect([counts("inbox-heartbeat"), counts("scope-violation", 4), counts(undefined)]).toEqual([
    false,
    false,
    false,
  ]);
});
