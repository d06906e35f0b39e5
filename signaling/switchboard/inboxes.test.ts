import { describe, expect, test } from "vitest";
import { CallScene } from "../../test/scenario/signaling-call.ts";
import { SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { Stage } from "../../test/scenario/signaling-stage.ts";
import { ALICE, BOB } from "../../test/signed-call.ts";
import { EVENT_LIFETIME, MAX_UNACKNOWLEDGED } from "./inbox-queue.ts";
import { HEARTBEAT_SECONDS, Inboxes, MAX_INBOXES, ORPHAN_LIFETIME } from "./inboxes.ts";
import { MAX_NOTICES, MAX_NOTICES_PER_INBOX } from "./notice-shares.ts";
import { Outputs } from "./outputs.ts";
import { RETURN_GRACE } from "./ringing.ts";
import { Timers } from "./timers.ts";

describe("an inbox", () => {
  test("begins with its cursor and beats every 20 s", () => {
    const stage = new Stage();
    const inbox = new SignalingPeer(stage, ALICE).subscribe();
    const greeting = { event: "subscribed", inbox: "main", heartbeat_s: 20 };
    expect(inbox.last).toMatchObject({ final: false, result: greeting });
    stage.advance(3 * HEARTBEAT_SECONDS * 1000);
    const beats = inbox.all.filter((message) => message.result.event === "heartbeat");
    expect(beats).toHaveLength(3);
    expect(beats[0]?.result).not.toHaveProperty("inbox_seq");
    expect(inbox.isOver).toBe(false);
  });

  test("delivers again what was not acknowledged, to whoever subscribes next", () => {
    const scene = new CallScene();
    const carried = scene.bobInbox.events;
    expect(carried).toEqual(["subscribed", "offer"]);
    scene.alice.hangUp(scene.sessionId);
    const ended = scene.bobInbox.event("session-ended");
    scene.bob.drop();
    const again = new SignalingPeer(scene.stage, BOB);
    const inbox = again.subscribe();
    expect(inbox.events, "an answered offer is no news").toEqual(["subscribed", "session-ended"]);
    expect(inbox.event("session-ended").inbox_seq).toBe(ended.inbox_seq);
    expect(again.acknowledge(Number(ended.inbox_seq)).outcome).toBe("ok 200");
    expect(again.subscribe().events).toEqual(["subscribed"]);
  });

  test("`after` acknowledges; a cursor of the future does not", () => {
    const scene = new CallScene();
    scene.alice.hangUp(scene.sessionId);
    const seq = Number(scene.bobInbox.event("session-ended").inbox_seq);
    expect(scene.bob.subscribe(seq + 1).events).toEqual(["subscribed", "session-ended"]);
    expect(scene.bob.acknowledge(seq + 1).outcome).toBe("field-invalid");
    const after = scene.bob.subscribe(seq);
    expect(after.events).toEqual(["subscribed"]);
    expect(after.last.result).toMatchObject({ inbox_seq: seq });
  });

  test("the newest subscription replaces the older, which gets a last message", () => {
    const stage = new Stage();
    const older = new SignalingPeer(stage, BOB).subscribe();
    const elsewhere = new SignalingPeer(stage, BOB);
    const newer = elsewhere.subscribe();
    expect(older.last).toMatchObject({ final: true, result: { event: "unsubscribed", reason: "replaced" } });
    new SignalingPeer(stage, ALICE).call(BOB);
    expect(newer.events).toEqual(["subscribed", "offer"]);
    expect(older.events).not.toContain("offer");
  });

  test("losing the older connection leaves the newer subscription", () => {
    const stage = new Stage();
    const old = new SignalingPeer(stage, BOB);
    old.subscribe();
    new SignalingPeer(stage, BOB).subscribe();
    const call = new SignalingPeer(stage, ALICE).call(BOB);
    old.drop();
    stage.advance(RETURN_GRACE);
    expect(call.isOver).toBe(false);
  });

  test("numbers go up across a restart of the server", () => {
    const scene = new CallScene();
    const before = Number(scene.bobInbox.event("offer").inbox_seq);
    const stage = new Stage({ log: scene.stage.log });
    stage.now = scene.stage.now + 60_000;
    const inbox = new SignalingPeer(stage, BOB).subscribe(before, { documents: false });
    new SignalingPeer(stage, ALICE).call(BOB);
    expect(Number(inbox.event("offer").inbox_seq)).toBeGreaterThan(before);
    stage.checkChain();
  });

  test("keeps at most 256 events: reports of refused frames go first", () => {
    const scene = new CallScene();
    const { stage } = scene;
    scene.bob.call(ALICE);
    const flow = Number(scene.stream(0, "send").flow);
    for (let sequence = 1; sequence <= MAX_UNACKNOWLEDGED + 10; sequence++) {
      stage.handle({
        kind: "refused",
        sessionId: scene.sessionId,
        connection: scene.alice.connection,
        flow,
        first: sequence,
        last: sequence,
        reason: "rate",
        count: 1,
      });
      stage.advance(100);
    }
    const drops = stage.logs.filter((entry) => entry.event === "inbox-event-dropped");
    expect(drops.length).toBeGreaterThanOrEqual(10);
    expect(new Set(drops.map((entry) => entry.fields.dropped))).toEqual(new Set(["frames_refused"]));
    const again = scene.alice.subscribe();
    expect(again.raw).toHaveLength(MAX_UNACKNOWLEDGED + 1);
    expect(again.events[1]).toBe("offer");
  });

  test("forgets what nobody fetched for a day", () => {
    const scene = new CallScene();
    scene.alice.hangUp(scene.sessionId);
    scene.bob.drop();
    scene.stage.advance(EVENT_LIFETIME + 1_000);
    expect(new SignalingPeer(scene.stage, BOB).subscribe().events).toEqual(["subscribed"]);
  });
});

/** Bob at his inboxes of these names, each on a connection of its own, and Alice, who may call him. */
function several(...names: readonly string[]) {
  const stage = new Stage();
  const at = (inbox: string, after?: number) => {
    const peer = new SignalingPeer(stage, BOB);
    return { peer, inbox: peer.subscribe(after, { inbox }) };
  };
  const alice = new SignalingPeer(stage, ALICE);
  alice.subscribe();
  return { stage, alice, bobs: names.map((name) => at(name)), at };
}

describe("several inboxes of one agent", () => {
  test("stand side by side: each is told everything, and acknowledges for itself", () => {
    const { stage, alice, bobs, at } = several("phone", "desk");
    const [phone, desk] = bobs as [(typeof bobs)[0], (typeof bobs)[0]];
    alice.call(BOB);
    for (const { inbox } of bobs) expect(inbox.events).toEqual(["subscribed", "offer"]);
    phone.peer.reject(phone.inbox.event("offer"), { reason: "busy" });
    const told = desk.inbox.event("offer-answered");
    expect(desk.peer.acknowledge(Number(told.inbox_seq)).outcome).toBe("ok 200");
    alice.ask("NOTIFY", "/", { recipient: desk.peer.id, content: "well?" });
    for (const { peer } of bobs) peer.drop();
    stage.advance(1_000);
    const news = ["phone", "desk"].map((name) => at(name, 1).inbox.events.slice(1));
    expect(news).toEqual([["notification"], ["notification"]]);
    stage.checkChain();
  });

  test("are told that a session ended, but for the one where it was ended", () => {
    const { alice, bobs } = several("phone", "desk");
    const [phone, desk] = bobs as [(typeof bobs)[0], (typeof bobs)[0]];
    alice.call(BOB);
    const offer = phone.inbox.event("offer");
    phone.peer.accept(offer);
    phone.peer.hangUp(String(offer.session_id));
    expect(phone.inbox.events).toEqual(["subscribed", "offer"]);
    expect(desk.inbox.events).toEqual(["subscribed", "offer", "offer-answered", "session-ended"]);
  });

  test("acknowledge by name too: over TLS every request has a connection of its own", () => {
    const { alice, bobs } = several("phone", "desk");
    alice.call(BOB);
    const [phone, desk] = bobs as [(typeof bobs)[0], (typeof bobs)[0]];
    const seq = Number(desk.inbox.event("offer").inbox_seq);
    expect(phone.peer.acknowledge(seq, "desk").outcome).toBe("ok 200");
    expect(desk.peer.subscribe(seq, { inbox: "desk" }).events).toEqual(["subscribed"]);
    expect(phone.peer.acknowledge(seq, "attic").outcome).toBe("field-invalid");
    expect(phone.peer.subscribe(0, { inbox: "two words" }).outcome).toBe("field-invalid");
  });

  test("a subscription replaces that of its own name alone", () => {
    const { bobs, at } = several("phone", "desk");
    const [phone, desk] = bobs as [(typeof bobs)[0], (typeof bobs)[0]];
    at("desk");
    expect(phone.inbox.isOver).toBe(false);
    expect(desk.inbox.last).toMatchObject({ final: true, result: { reason: "replaced" } });
  });

  test("are eight at most: a ninth takes the place of one that was left, or is refused", () => {
    const names = Array.from({ length: MAX_INBOXES }, (_, n) => `tab-${n}`);
    const { stage, bobs, at } = several(...names);
    const ninth = new SignalingPeer(stage, ALICE, bobs[0]?.peer);
    expect(ninth.connection).toBe(bobs[0]?.peer.connection);
    const again = bobs[0]?.peer.subscribe(0, { inbox: "tab-8" });
    expect(again?.last).toMatchObject({ status: 429, error: { code: "inbox-limit" } });
    bobs[3]?.peer.drop();
    bobs[2]?.peer.drop();
    expect(at("tab-8").inbox.events).toEqual(["subscribed"]);
    expect(stage.sizes.inboxes).toMatchObject({ inboxes: MAX_INBOXES + 1, online: 2 });
    expect(at("tab-2").inbox.last.result.inbox_seq).toBeLessThan(stage.now);
  });

  test("are forgotten ten minutes after they were left, but for the last one, which keeps what nobody fetched", () => {
    const { stage, alice, bobs, at } = several("phone", "desk");
    const [phone, desk] = bobs as [(typeof bobs)[0], (typeof bobs)[0]];
    const { id } = phone.peer;
    phone.peer.drop();
    alice.ask("NOTIFY", "/", { recipient: id, content: "one" });
    stage.advance(ORPHAN_LIFETIME - 1);
    expect(stage.sizes.inboxes).toMatchObject({ inboxes: 3, inboxEvents: 2 });
    stage.advance(1);
    expect(stage.sizes.inboxes).toMatchObject({ inboxes: 2, inboxEvents: 1 });
    desk.peer.drop();
    alice.ask("NOTIFY", "/", { recipient: id, content: "two" });
    stage.advance(2 * ORPHAN_LIFETIME);
    expect(stage.sizes.inboxes).toMatchObject({ inboxes: 2, inboxEvents: 2 });
    const attic = at("attic");
    expect(attic.inbox.events, "who comes back under another name finds what waited").toEqual([
      "subscribed",
      "notification",
      "notification",
    ]);
    stage.advance(1);
    expect(stage.sizes.inboxes).toMatchObject({ inboxes: 2, inboxEvents: 2 });
  });

  test("of an agent that left and is owed nothing are forgotten, timers too", () => {
    const { stage, alice, bobs } = several("phone", "desk");
    for (const { peer } of [...bobs, { peer: alice }]) peer.drop();
    stage.advance(ORPHAN_LIFETIME);
    expect(stage.sizes.inboxes).toEqual({ inboxes: 0, online: 0, inboxEvents: 0 });
    expect(stage.sizes.timers).toBe(0);
  });

  test("a notification is refused only where none of them has room for it", () => {
    const { alice, bobs } = several("phone", "desk");
    const [phone, desk] = bobs as [(typeof bobs)[0], (typeof bobs)[0]];
    const send = () => alice.ask("NOTIFY", "/", { recipient: phone.peer.id, content: "x" });
    phone.peer.drop();
    for (let n = 0; n < 9; n++) expect(send().outcome).toBe("ok 200");
    expect(send().last.result.status).toBe("delivered");
    desk.peer.drop();
    expect(send().outcome).toBe("inbox-full");
  });
});

describe("what agents put into all inboxes together", () => {
  test("is capped: beyond it the fullest inbox loses one, and nobody is refused", () => {
    const inboxes = new Inboxes(new Outputs(), undefined as never, new Timers());
    const tell = (inbox: string, agentId: string) => {
      const from = { agentId, owner: agentId };
      expect(inboxes.notify(inbox, { event: "notification", from, fields: {} }, 0)).toBe(true);
    };
    tell("quiet", "honest");
    const full = (MAX_NOTICES - 1) / MAX_NOTICES_PER_INBOX;
    for (let inbox = 0; inbox < full; inbox++) {
      for (let n = 0; n < MAX_NOTICES_PER_INBOX; n++) tell(`inbox ${inbox}`, `sender ${n}`);
    }
    expect(inboxes.sizes().inboxEvents).toBe(MAX_NOTICES);
    tell("quiet", "another");
    tell("quiet", "a third");
    expect(inboxes.sizes().inboxEvents).toBe(MAX_NOTICES);
    inboxes.withdraw("quiet", "no session", []);
    inboxes.acknowledge("quiet", "main", 2);
    expect(inboxes.sizes().inboxEvents, "all three were there").toBe(MAX_NOTICES - 3);
  });
});
