import { describe, expect, test } from "vitest";
import { CallScene } from "../../test/scenario/signaling-call.ts";
import { SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { Stage } from "../../test/scenario/signaling-stage.ts";
import { ALICE, BOB } from "../../test/signed-call.ts";
import { EVENT_LIFETIME, HEARTBEAT_SECONDS, Inboxes, MAX_UNACKNOWLEDGED } from "./inboxes.ts";
import { MAX_NOTICES, MAX_NOTICES_PER_INBOX } from "./notice-shares.ts";
import { Outputs } from "./outputs.ts";
import { RETURN_GRACE } from "./ringing.ts";
import { Timers } from "./timers.ts";

describe("an inbox", () => {
  test("begins with its cursor and beats every 20 s", () => {
    const stage = new Stage();
    const inbox = new SignalingPeer(stage, ALICE).subscribe();
    expect(inbox.last).toMatchObject({ final: false, result: { event: "subscribed", heartbeat_s: 20 } });
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

describe("what agents put into all inboxes together", () => {
  test("is capped: beyond it the fullest inbox loses one, and nobody is refused", () => {
    const inboxes = new Inboxes(new Outputs(), undefined as never, new Timers());
    const tell = (inbox: string, agentId: string) => {
      const from = { agentId, owner: agentId };
      expect(inboxes.makeRoom(inbox, from)).toBe(true);
      inboxes.post(inbox, { event: "notification", from, fields: {} }, 0);
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
    inboxes.acknowledge("quiet", 2);
    expect(inboxes.sizes().inboxEvents, "all three were there").toBe(MAX_NOTICES - 3);
  });
});
