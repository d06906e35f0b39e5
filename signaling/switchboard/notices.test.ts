import { expect, test } from "vitest";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { CallScene } from "../../test/scenario/signaling-call.ts";
import { SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { Stage } from "../../test/scenario/signaling-stage.ts";
import { ALICE, BOB, must, testAgent } from "../../test/signed-call.ts";
import { readRecord } from "../attribution.ts";
import { formatUtc } from "../utc-time.ts";

function pair() {
  const stage = new Stage();
  const alice = new SignalingPeer(stage, ALICE);
  const bob = new SignalingPeer(stage, BOB);
  return { stage, alice, bob, aliceInbox: alice.subscribe(), bobInbox: bob.subscribe() };
}

const notify = (peer: SignalingPeer, parameters: JsonObject) => peer.ask("NOTIFY", "/", parameters);

test("a notification comes to the recipient's inbox and leaves a receipt", () => {
  const { alice, bob, bobInbox, stage } = pair();
  const told = notify(alice, { recipient: bob.id, content: { topic: "weather" }, urgency: "critical" });
  const { notification_id: id, ...receipt } = told.last.result;
  expect(receipt).toMatchObject({ recipient: bob.id, status: "delivered", delivery_id: id });
  expect(bobInbox.event("notification")).toMatchObject({
    notification_id: id,
    from: alice.id,
    content: { topic: "weather" },
    urgency: "critical",
  });
  const record = must(readRecord(told.raw[0]?.headers.get("Attribution-Record") ?? ""));
  expect(record).toMatchObject({ event: "notified", extra: { notification_id: id } });
  expect(JSON.stringify(record)).not.toContain("weather");
  stage.checkChain();
});

test("`event` is read for `content`, as text too, and one of them must be there", () => {
  const { alice, bob, bobInbox } = pair();
  expect(notify(alice, { recipient: bob.id, event: "rain" }).outcome).toBe("ok 200");
  expect(bobInbox.event("notification").content).toBe("rain");
  for (const wrong of [
    {},
    { content: 7 },
    { content: "x".repeat(5_000) },
    { content: "x", urgency: "now" },
  ]) {
    expect(notify(alice, { recipient: bob.id, ...wrong }).outcome).toBe("field-invalid");
  }
  expect(notify(alice, { recipient: "0".repeat(64), content: "x" }).outcome).toBe("agent-not-found");
  const nobody = new SignalingPeer(new Stage(), ALICE);
  expect(notify(nobody, { recipient: bob.id, content: "x" }).outcome).toBe("proof-required");
});

test("it waits for an agent that is away, until it expires", () => {
  const { alice, bob, stage } = pair();
  bob.drop();
  const expiry = formatUtc(stage.now + 60_000);
  expect(notify(alice, { recipient: bob.id, content: "soon", expiry }).last.result.status).toBe("queued");
  notify(alice, { recipient: bob.id, content: "late" });
  stage.advance(61_000);
  const inbox = new SignalingPeer(stage, BOB).subscribe();
  const contents = inbox.all.flatMap(({ result }) =>
    result.event === "notification" ? [result.content] : [],
  );
  expect(contents).toEqual(["late"]);
  const past = formatUtc(stage.now - 1_000);
  expect(notify(alice, { recipient: bob.id, content: "x", expiry: past }).outcome).toBe("field-invalid");
  expect(notify(alice, { recipient: bob.id, content: "x", expiry: "tomorrow" }).outcome).toBe(
    "field-invalid",
  );
});

test("a sender has a rate and a share of an inbox, and an inbox a share for all senders", () => {
  const { alice, bob, bobInbox, stage } = pair();
  const send = (peer: SignalingPeer) => notify(peer, { recipient: bob.id, content: "x" }).outcome;
  expect(Array.from({ length: 9 }, () => send(alice)).at(-1)).toBe("inbox-full");
  bob.acknowledge(Number(bobInbox.event("notification").inbox_seq));
  expect(send(alice)).toBe("ok 200");
  for (let n = 0; n < 12; n++) send(alice);
  expect(send(alice)).toBe("rate-limited");
  for (let n = 0; n < 3; n++) {
    const other = new SignalingPeer(stage, testAgent(`other ${n}`, 40 + n));
    other.subscribe();
    for (let i = 0; i < 8; i++) expect(send(other)).toBe("ok 200");
  }
  const last = new SignalingPeer(stage, testAgent("last", 50));
  last.subscribe();
  expect(send(last)).toBe("inbox-full");
});

test("the recipient confirms it, and the sender is told; nobody else can", () => {
  const { alice, bob, aliceInbox, stage } = pair();
  const id = String(notify(alice, { recipient: bob.id, content: "ready?" }).last.result.notification_id);
  const confirm = (peer: SignalingPeer, parameters: JsonObject) =>
    peer.ask("CONFIRM", "/", parameters, { proof: false, documents: false });
  const { result } = confirm(bob, { target_id: id, status: "deferred", reason: "busy" }).last;
  expect(result).toMatchObject({ target_id: id, status: "deferred", told: true });
  expect(aliceInbox.event("confirmation")).toMatchObject({
    target_id: id,
    status: "deferred",
    reason: "busy",
    by: bob.id,
    attestation_id: result.attestation_id,
  });
  expect(confirm(alice, { target_id: id, status: "accepted" }).last.status).toBe(404);
  expect(confirm(bob, { target_id: "other", status: "accepted" }).outcome).toBe("target-not-found");
  expect(confirm(bob, { target_id: id, status: "maybe" }).outcome).toBe("field-invalid");
  stage.checkChain();
});

test("QUERY / tells an agent the sessions it is in, and knows no other intent", () => {
  const { alice, sessionId, stage } = new CallScene();
  expect(alice.ask("QUERY", "/").last.result).toMatchObject({
    server_agent_id: stage.server.genesis.agentId,
    time: stage.now,
    sessions: [{ session_id: sessionId, state: "active" }],
  });
  expect(alice.ask("QUERY", "/", { intent: "status" }).outcome).toBe("ok 200");
  expect(alice.ask("QUERY", "/", { intent: "weather in Rome" }).outcome).toBe("field-invalid");
});
