import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { CallScene } from "../../test/scenario/signaling-call.ts";
import { overTls, SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { BOB, must } from "../../test/signed-call.ts";
import { MAX_REPEATS, REPEAT_LIFETIME, Repeats } from "./repeats.ts";
import type { Exchange } from "./replies.ts";

function acknowledge(peer: SignalingPeer, seq: number, key: string, more: JsonObject = {}) {
  const content = { event: "ack", inbox_seq: seq };
  const headers = [["Idempotency-Key", key] as const];
  return peer.ask("NOTIFY", `/agents/${peer.id}/inbox`, { content, ...more }, { headers });
}

test("the same key and request of an agent gets the same answer, under a record of its own", () => {
  const { bob, bobInbox, stage } = new CallScene();
  const seq = Number(bobInbox.event("offer").inbox_seq);
  const first = acknowledge(bob, seq, "k1");
  const again = acknowledge(bob, seq, "k1");
  expect(again.last).toEqual(first.last);
  const audit = (answers: typeof first) => answers.raw[0]?.headers.get("Audit-ID");
  expect(audit(again)).not.toBe(audit(first));
  stage.checkChain();
});

test("a request is not carried out again: not even when it would now be refused", () => {
  const scene = new CallScene();
  const { alice, sessionId } = scene;
  const end = (key: string) =>
    alice.ask("TERMINATE", `/sessions/${sessionId}`, {}, { headers: [["Idempotency-Key", key]] });
  const first = end("end");
  scene.sendFinals(0);
  scene.sendFinals(1);
  scene.stage.advance(10_000);
  expect(first.outcome).toBe("ok 200");
  expect(end("end").last).toEqual(first.last);
  expect(end("again").outcome).toBe("session-terminated");
});

test("a refusal is told again, unless a later try might fare better", () => {
  const { alice, sessionId, stage } = new CallScene();
  const headers = [["Idempotency-Key", "n"] as const];
  const narrow = () => alice.ask("ADJUST", `/sessions/${sessionId}`, { narrowing: "x" }, { headers });
  const refused = narrow();
  expect(refused.last.status).toBeGreaterThanOrEqual(400);
  expect(narrow().last).toEqual(refused.last);
  stage.checkChain();
});

test("a refusal that a later try might not meet is not remembered", () => {
  const { alice, bob, stage } = new CallScene();
  bob.drop();
  const tell = (key: string) =>
    alice.ask("NOTIFY", "/", { recipient: bob.id, content: "x" }, { headers: [["Idempotency-Key", key]] });
  for (let n = 0; n < 8; n++) expect(tell(`k${n}`).outcome).toBe("ok 200");
  expect(tell("late").outcome).toBe("inbox-full");
  new SignalingPeer(stage, BOB).subscribe();
  expect(tell("late").outcome).toBe("ok 200");
});

test("an answer that is too long to keep is worked out again", () => {
  const repeats = new Repeats();
  const ask = (text: string) => {
    const exchange = { method: "ADJUST", path: "/" } as Exchange;
    const found = must(repeats.find(exchange, "ada", "k", {}, 0));
    exchange.keep?.({ status: 200, result: { text }, headers: [], sessionId: undefined }, 0);
    return found;
  };
  expect(ask("x".repeat(8_192))).toBeUndefined();
  expect(ask("x".repeat(8_192 - '{"text":""}'.length)), "not kept").toBeUndefined();
  expect(ask("y"), "kept").toMatchObject({ status: 200 });
});

test("the same key with another request is a conflict, and other agents have keys of their own", () => {
  const { alice, bob, bobInbox, aliceInbox, sessionId } = new CallScene();
  const seq = Number(bobInbox.event("offer").inbox_seq);
  acknowledge(bob, seq, "k1");
  expect(acknowledge(bob, seq + 1, "k1").last).toMatchObject({
    status: 409,
    error: { code: "idempotency-conflict" },
  });
  const headers = [["Idempotency-Key", "k2"] as const];
  expect(alice.ask("SUSPEND", `/sessions/${sessionId}`, {}, { proof: false, headers }).outcome).toBe(
    "ok 200",
  );
  expect(alice.ask("TERMINATE", `/sessions/${sessionId}`, {}, { headers }).outcome, "another method").toBe(
    "idempotency-conflict",
  );
  const own = Number(aliceInbox.event("subscribed").inbox_seq);
  expect(acknowledge(alice, own, "k1").outcome).toBe("ok 200");
  expect(acknowledge(bob, seq, "").outcome).toBe("field-invalid");
  expect(acknowledge(bob, seq, "k".repeat(129)).outcome).toBe("field-invalid");
});

test("answers are forgotten in time", () => {
  const { bob, bobInbox, stage } = new CallScene();
  const seq = Number(bobInbox.event("offer").inbox_seq);
  acknowledge(bob, seq, "k1");
  stage.advance(REPEAT_LIFETIME);
  expect(acknowledge(bob, seq, "k1", { other: true }).outcome).toBe("ok 200");
  expect(MAX_REPEATS).toBe(4_096);
});

describe("a key lends no connection what was granted to another:", () => {
  const headers = [["Idempotency-Key", "k1"] as const];

  test("OPEN goes by attach_seq, and only who it moves media to is told flows", () => {
    const scene = new CallScene({ bobOverTls: true });
    const first = overTls(scene.stage, BOB);
    expect(first.openMedia(scene.sessionId, 1, { headers }).outcome).toBe("ok 200");
    first.drop();
    const second = overTls(scene.stage, BOB);
    expect(second.openMedia(scene.sessionId, 1, { headers }).outcome).toBe("attach-outdated");
    expect(scene.stage.mediaConnections).toEqual([first.connection]);
    expect(second.openMedia(scene.sessionId, 2, { headers }).outcome).toBe("ok 200");
    expect(scene.stage.mediaConnections).toEqual([first.connection, second.connection]);
  });

  test("CONFIRM of the same answer on another connection is refused where that one's flows are of no use", () => {
    const scene = new CallScene({ confirmHeaders: headers });
    const event = scene.bobInbox.event("offer");
    const again = (peer: SignalingPeer) => peer.accept(event, { answer: scene.bobAnswer, headers });
    expect(again(scene.bob).outcome, "where it came first").toBe("ok 200");
    expect(again(new SignalingPeer(scene.stage, BOB)).outcome).toBe("offer-dead");
  });

  test("RESUME takes its nonce once", () => {
    const scene = new CallScene();
    const path = `/sessions/${scene.sessionId}`;
    const suspended = scene.alice.ask("SUSPEND", path, {}, { proof: false });
    const nonce = { resumption_nonce: String(suspended.last.result.resumption_nonce) };
    expect(scene.alice.ask("RESUME", path, nonce, { headers }).outcome).toBe("ok 200");
    expect(scene.alice.ask("RESUME", path, nonce, { headers }).last.status).toBe(409);
  });
});
