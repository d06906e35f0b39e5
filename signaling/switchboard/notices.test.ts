import { expect, test } from "vitest";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { seedSigner } from "../../test/keys.ts";
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

test("who may not talk notifies nobody, and confirms nothing", () => {
  const stage = new Stage({ config: { trustFloor: "verified" } });
  const tier = (name: string, byte: number, trustTier: 1 | 2 | 3) =>
    testAgent(name, byte, { genesis: { trustTier: 1 }, document: { trustTier } });
  const sender = new SignalingPeer(stage, tier("alice", 1, 1));
  const bob = new SignalingPeer(stage, tier("bob", 2, 1));
  bob.subscribe();
  for (const trustTier of [2, 3] as const) {
    const mute = new SignalingPeer(stage, tier("carol", 20 + trustTier, trustTier));
    const content = { recipient: bob.id, content: "hello" };
    expect(mute.ask("NOTIFY", "/", content, { proof: true }).outcome).toBe("scope-violation");
    const confirmed = mute.ask("CONFIRM", "/", { target_id: "x", status: "accepted" }, { proof: true });
    expect(confirmed.outcome).toBe("scope-violation");
  }
  const said = sender.ask("NOTIFY", "/", { recipient: bob.id, content: "hello" }, { proof: true });
  expect(said.outcome).toBe("ok 200");
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

test("a sender has a rate, and a share of an inbox whose agent is away", () => {
  const { alice, bob, stage } = pair();
  const send = () => notify(alice, { recipient: bob.id, content: "x" }).outcome;
  bob.drop();
  for (let n = 0; n < 8; n++) expect(send()).toBe("ok 200");
  expect(send()).toBe("inbox-full");
  const back = new SignalingPeer(stage, BOB);
  back.acknowledge(Number(back.subscribe().event("notification").inbox_seq));
  for (let n = 0; n < 11; n++) expect(send()).toBe("ok 200");
  expect(send()).toBe("rate-limited");
});

test("whoever listens is told everything, though it acknowledges nothing; the last 8 of a sender are told again", () => {
  const { alice, bob, bobInbox, stage } = pair();
  for (let n = 0; n < 12; n++) {
    expect(notify(alice, { recipient: bob.id, content: `${n}` }).outcome).toBe("ok 200");
    stage.advance(1_000);
  }
  const told = (inbox: typeof bobInbox) =>
    inbox.all.flatMap(({ result }) => (result.event === "notification" ? [result.content] : []));
  expect(told(bobInbox)).toEqual(Array.from({ length: 12 }, (_, n) => `${n}`));
  expect(told(bob.subscribe())).toEqual(Array.from({ length: 8 }, (_, n) => `${n + 4}`));
});

test("agents of one owner that fill an inbox leave room in it for everybody else", () => {
  const { alice, bob, stage } = pair();
  const send = (peer: SignalingPeer, content: string) => notify(peer, { recipient: bob.id, content }).outcome;
  const fill = (n: number, owner: string) => {
    const peer = new SignalingPeer(
      stage,
      testAgent(`spam ${n}`, 40 + n, { genesis: { ownerId: owner }, issuer: seedSigner(39) }),
    );
    peer.subscribe();
    return peer;
  };
  bob.drop();
  const spammers = Array.from({ length: 5 }, (_, n) => fill(n, "spam.example"));
  for (const peer of spammers.slice(0, 4)) {
    for (let n = 0; n < 8; n++) expect(send(peer, "spam")).toBe("ok 200");
  }
  expect(send(fill(5, "spam.example"), "spam"), "of the owner that has most there").toBe("inbox-full");
  expect(send(alice, "news")).toBe("ok 200");
  expect(send(fill(6, "other.example"), "more")).toBe("ok 200");
  expect(send(spammers[4] as SignalingPeer, "spam")).toBe("inbox-full");
  const events = new SignalingPeer(stage, BOB).subscribe().all;
  const contents = events.flatMap(({ result }) => (result.event === "notification" ? [result.content] : []));
  expect(contents).toEqual([...Array.from({ length: 30 }, () => "spam"), "news", "more"]);
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
