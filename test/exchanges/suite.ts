/** One suite of exchanges for every carrier: what may be said to a server, and what it answers. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { readRecord, verifyRecord } from "../../signaling/attribution.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { must } from "../signed-call.ts";
import { checkAnswer, checkExpected } from "./answer-check.ts";
import type { ExchangeCase, Expected } from "./exchange-case.ts";
import { eventOf, Ground, type Way } from "./ground.ts";
import { HEADER_CASES } from "./header-cases.ts";
import { lastStatements } from "./last-statements.ts";
import { MESSAGE_CASES } from "./message-cases.ts";
import { METHOD_CASES } from "./method-cases.ts";
import { SESSION_CASES } from "./session-cases.ts";
import type { Request } from "./voice.ts";
import { bodyOf, resultOf, type WireAnswer } from "./wire.ts";

/** Declares every exchange of the suite over one carrier. */
export function exchangesOver(carrier: string, open: () => Promise<Way>): void {
  describe(`exchanges over ${carrier}`, () => {
    let way: Way;
    let ground: Ground;
    beforeAll(async () => {
      way = await open();
      ground = await way.during(Ground.lay(way));
    });
    afterAll(() => way.close());

    it.each(
      [...MESSAGE_CASES, ...HEADER_CASES, ...METHOD_CASES, ...SESSION_CASES].map(
        (one) => [one.name, one] as const,
      ),
    )("%s", (_, one) => way.during(tryOut(ground, one)));

    it("a call set up: who called hears of the ringing, then both of the session", () =>
      way.during(callSetUp(ground)));
    it("a call suspended: little is taken meanwhile, and its nonce resumes it once", () =>
      way.during(callSuspended(ground)));
    it("a call ended: both close it, its records follow each other, its evidence verifies", () =>
      way.during(callEnded(ground)));
  });
}

async function tryOut(ground: Ground, one: ExchangeCase): Promise<void> {
  const request = typeof one.send === "function" ? one.send(ground) : one.send;
  const voice = await ground.who(one.by ?? "alice");
  const conversation = await voice.say(ground.fill(request));
  const answers = await conversation.all();
  const wanted = typeof one.gets === "function" ? one.gets(ground) : ground.fill(one.gets);
  expect(answers).toHaveLength(wanted.answers ?? 1);
  for (const answer of answers) checkAnswer(answer, conversation.request, ground.server.key);
  checkExpected(answers[0] as WireAnswer, wanted);
  if (one.by === "nobody") voice.connection.close(0, "");
}

async function callSetUp({ alice, bob, call, server, subscribed }: Ground): Promise<void> {
  const { established, confirmed, requests, sessionId, offerId } = call;
  for (const answer of established) checkAnswer(answer, requests.establish.request, server.key);
  checkAnswer(confirmed, requests.confirm.request, server.key);
  checkExpected(subscribed, {
    status: 200,
    result: { event: "subscribed", final: false, inbox_seq: expect.any(Number) },
  });
  const [ringing, agreed] = established as [WireAnswer, WireAnswer];
  checkExpected(ringing, {
    status: 202,
    result: { state: "ringing", final: false, offer_id: offerId },
    headers: { "Session-ID": undefined, "Stream-Parameters": undefined },
  });
  const headers = {
    "Session-ID": sessionId,
    "Communication-Modalities": "audio",
    "Audio-Codec": "opus",
    "Authority-Scope": "communication:audio:capture, communication:audio:transmit",
  };
  const common = {
    session_id: sessionId,
    session_model: "bounded",
    session_ttl: 600,
    core: expect.any(String),
  };
  checkExpected(agreed, {
    status: 200,
    headers,
    record: { session_id: sessionId, event: "session-established", counterparty_agent_id: alice.id },
    result: { ...common, final: true, answer: expect.any(String), server: { agent_id: server.agentId } },
  });
  checkExpected(confirmed, {
    status: 200,
    headers,
    record: { session_id: sessionId, counterparty_agent_id: bob.id },
    result: common,
  });
  for (const [answer, leg] of [
    [agreed, 0],
    [confirmed, 1],
  ] as const) {
    const text = String(answer.headers.find(([name]) => name === "Stream-Parameters")?.[1]);
    expect(text.split(", ").map((part) => /leg=(\d)/.exec(part)?.[1])).toEqual(["0", "1"]);
    expect(text).toContain(`leg=${leg};direction=send;`);
  }
}

async function callSuspended(ground: Ground): Promise<void> {
  const { call, server, inbox, bob } = ground;
  const path = `/sessions/${call.sessionId}`;
  const said = async (by: "alice" | "bob", request: Request, gets: Expected): Promise<JsonObject> => {
    const conversation = await ground[by].say(request);
    const answer = await conversation.one();
    checkAnswer(answer, conversation.request, server.key);
    checkExpected(answer, gets);
    return { ...(bodyOf(answer).result as JsonObject | undefined) };
  };
  const suspend = { line: `SUSPEND ${path} HTTP/AGTP/1.0`, parameters: { reason: "scheduled_pause" } };
  const { resumption_nonce } = await said("bob", suspend, {
    status: 200,
    result: { status: "suspended", by: bob.id },
  });
  await said("alice", { line: `AGTP/1.0 QUERY ${path}` }, { status: 200, result: { state: "suspended" } });
  const conflict = { status: 409, code: "session-state-conflict" };
  await said("alice", { line: `AGTP/1.0 SUSPEND ${path}`, parameters: {} }, conflict);
  await said("alice", { line: `AGTP/1.0 ADJUST ${path}`, parameters: { narrowing: "x" } }, conflict);
  const resume = (nonce: unknown): Request => ({
    line: `AGTP/1.0 RESUME ${path}`,
    parameters: { resumption_nonce: String(nonce) },
    proof: true,
  });
  const invalid = { status: 409, code: "nonce-invalid" };
  await said("alice", resume("AAAAAAAAAAAAAAAAAAAAAA"), invalid);
  await said("alice", resume(resumption_nonce), {
    status: 200,
    result: { status: "resumed", state: "active" },
  });
  await said("bob", resume(resumption_nonce), invalid);
  expect(await eventOf(inbox, "session-resumed")).toMatchObject({ session_id: call.sessionId });
}

async function callEnded(ground: Ground): Promise<void> {
  const { alice, bob, call, server, inbox } = ground;
  const path = `/sessions/${call.sessionId}`;
  const hangUp = await alice.say({
    line: `AGTP/1.0 TERMINATE ${path}`,
    headers: [["Session-ID", call.sessionId]],
    parameters: { reason: "hangup", closing: await lastStatements(alice, call, 0) },
  });
  const told = await eventOf(inbox, "session-ended");
  expect(told).toMatchObject({ session_id: call.sessionId, by: alice.id, reason: "hangup" });
  const lastWord = await bob.say({
    line: `NOTIFY ${path} HTTP/AGTP/1.0`,
    parameters: {
      content: { event: "closing-statement", closing: await lastStatements(bob, call, 1) },
    },
    form: "flat",
  });
  for (const conversation of [hangUp, lastWord]) {
    const answer = await conversation.one();
    checkAnswer(answer, conversation.request, server.key);
    checkExpected(answer, { status: 200, result: { state: "terminated", reason: "hangup", by: alice.id } });
  }
  const records = await read(ground, `AGTP/1.0 QUERY ${path}/records`);
  const chain = (resultOf(records[0] as WireAnswer).records as string[]).map((jws) =>
    must(verifyRecord(jws, server.key, verifier)),
  );
  expect(chain.map(({ payload }) => payload.session_seq)).toEqual(chain.map((_, index) => index));
  for (const [index, { payload }] of chain.entries())
    expect(payload.previous_session_audit_id).toBe(chain[index - 1]?.auditId ?? "0".repeat(64));
  expect(must(readRecord((chain.at(-1) as { jws: string }).jws)).event).toBe("session-terminated");
  const pieces = await read(ground, `QUERY ${path}/evidence HTTP/AGTP/1.0`);
  const evidence = pieces.map((piece) => Buffer.from(String(resultOf(piece).chunk), "utf8"));
  expect(resultOf(pieces.at(-1) as WireAnswer)).toMatchObject({ final: true, index: pieces.length - 1 });
  const { report } = verifyEvidence(
    Buffer.concat(evidence),
    { issuerKeys: [], agentIds: [server.agentId] },
    verifier,
  );
  expect(report.faults).toEqual([]);
  for (const voice of [alice, bob]) voice.connection.close(0, "");
}

/** A whole series, every answer of it checked. */
async function read({ alice, server }: Ground, line: string): Promise<WireAnswer[]> {
  const conversation = await alice.say({ line });
  const answers = await conversation.all();
  for (const answer of answers) checkAnswer(answer, conversation.request, server.key);
  return answers;
}
