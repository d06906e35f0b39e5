import { describe, expect, test } from "vitest";
import { receiptDigest } from "../../codecs/receipt.ts";
import { CallScene } from "../../test/scenario/signaling-call.ts";
import { SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { ALICE, BOB } from "../../test/signed-call.ts";
import type { FlowCounters } from "../admission.ts";
import { DEFAULT_LIMITS } from "./config.ts";
import { ATTACH_GRACE } from "./detaching.ts";
import { CLOSING_WINDOW, IDLE_LIMIT } from "./endings.ts";
import { RING_TIME } from "./ringing.ts";

function counters(admitted: number): FlowCounters {
  const flow = {
    leg: 0,
    stream: 0,
    received: admitted,
    bytes: 0,
    forwarded: admitted,
    refused: {},
    dropped: {},
  };
  return { ...flow, admitted, firstSequence: undefined, lastSequence: undefined };
}

describe("ends nobody asked for", () => {
  test("a connection that its client closes ends a bounded session at once, and both learn it", () => {
    const scene = new CallScene();
    scene.bob.drop(true);
    expect(scene.aliceInbox.event("session-ended")).toMatchObject({
      reason: "transport-closed",
      by: "server",
    });
    const again = new SignalingPeer(scene.stage, BOB);
    expect(again.subscribe().event("session-ended")).toMatchObject({ session_id: scene.sessionId });
    scene.sendFinals(0);
    scene.alice.lastWord(scene.sessionId, scene.closing(0));
    expect(scene.finalRecord()).toMatchObject({ extra: { reason: "transport-closed" } });
  });

  test("with both connections gone nobody is waited for", () => {
    const scene = new CallScene();
    scene.alice.drop();
    scene.bob.drop();
    expect(scene.finalRecord(), "both may come back").toBeUndefined();
    scene.stage.advance(ATTACH_GRACE);
    expect(scene.finalRecord()).toMatchObject({ extra: { reason: "transport-closed" } });
    expect(scene.stage.admissions.at(-1)?.kind).toBe("remove");
  });

  test("a persistent session is held instead, and ends by its detach limit or on request", () => {
    const scene = new CallScene({ offer: { session: { model: "persistent", ttl: 3_600 } } });
    scene.bob.drop();
    expect(scene.stage.admissions).toContainEqual({
      kind: "state",
      sessionId: scene.sessionId,
      state: "held",
    });
    expect(scene.alice.query(scene.sessionId).last.result).toMatchObject({ state: "detached" });
    scene.stage.advance(DEFAULT_LIMITS.detachedSeconds * 1000 - 1);
    expect(scene.aliceInbox.events).not.toContain("session-ended");
    scene.stage.advance(1);
    expect(scene.aliceInbox.event("session-ended")).toMatchObject({ reason: "detach-expired" });

    const other = new CallScene({ offer: { session: { model: "persistent", ttl: 600 } } });
    other.bob.drop();
    other.sendFinals(0);
    expect(other.alice.hangUp(other.sessionId).last.result).toMatchObject({ state: "terminated" });
  });

  test("the lifetime is up by the server's clock", () => {
    const scene = new CallScene({ offer: { session: { model: "bounded", ttl: 30 } } });
    scene.stage.advance(29_999);
    expect(scene.bobInbox.events).not.toContain("session-ended");
    scene.stage.advance(1);
    for (const inbox of [scene.aliceInbox, scene.bobInbox]) {
      expect(inbox.event("session-ended")).toMatchObject({ reason: "ttl-expired", by: "server" });
    }
    scene.stage.advance(CLOSING_WINDOW);
    expect(scene.finalRecord()).toMatchObject({ event: "session-expired", extra: { reason: "ttl-expired" } });
  });

  test("a lifetime beyond the server's is cut", () => {
    const scene = new CallScene({
      offer: { session: { model: "bounded", ttl: 86_400 } },
      config: { limits: { ...DEFAULT_LIMITS, sessionTtl: 10 } },
    });
    expect(scene.established.last.result).toMatchObject({ session_ttl: 10 });
    scene.stage.advance(10_000);
    expect(scene.aliceInbox.event("session-ended")).toMatchObject({ reason: "ttl-expired" });
  });

  test("a minute without media ends it, media keeps it up", () => {
    const scene = new CallScene();
    for (let minute = 1; minute <= 3; minute++) {
      scene.stage.counters.set(scene.sessionId, [counters(minute * 3000)]);
      scene.stage.advance(IDLE_LIMIT - 1);
    }
    expect(scene.aliceInbox.events).not.toContain("session-ended");
    scene.stage.advance(IDLE_LIMIT + 15_000);
    expect(scene.aliceInbox.event("session-ended")).toMatchObject({ reason: "inactivity", by: "server" });
  });

  test("signed statements keep a call up in which nobody speaks", () => {
    const scene = new CallScene();
    const flow = Number(scene.stream(0, "receive").receipt_flow);
    let previous: Uint8Array = new Uint8Array(32);
    for (let index = 0; index < 6; index++) {
      scene.stage.advance(IDLE_LIMIT / 2);
      const bytes = scene.receipt(0, { index, previous });
      scene.stage.handle({ kind: "item", connection: scene.alice.connection, flow, bytes });
      previous = receiptDigest(bytes);
    }
    expect(scene.aliceInbox.events).not.toContain("session-ended");
    scene.stage.advance(IDLE_LIMIT + 15_000);
    expect(scene.aliceInbox.event("session-ended")).toMatchObject({ reason: "inactivity" });
  });

  test.each([3_600_000, -3_600_000])("a clock set by %i ms ends no call and holds up no end", (by) => {
    const scene = new CallScene({
      offer: { session: { model: "bounded", ttl: 86_400 } },
      config: { limits: { ...DEFAULT_LIMITS, sessionTtl: 86_400 } },
    });
    const { stage } = scene;
    const step = () => {
      stage.now += by;
      stage.handle({ kind: "stepped", by });
    };
    stage.advance(IDLE_LIMIT / 2);
    step();
    stage.advance(IDLE_LIMIT / 2 - 1);
    expect(scene.aliceInbox.events).not.toContain("session-ended");
    const ringing = scene.bob.call(ALICE);
    step();
    expect(ringing.raw).toEqual([]);
    stage.advance(RING_TIME);
    expect(ringing.outcome).toBe("no-answer");
    expect(scene.aliceInbox.event("session-ended")).toMatchObject({ reason: "inactivity" });
    expect(scene.finalRecord()).toMatchObject({ extra: { reason: "inactivity" } });
  });

  test("an agreed end is a date: a clock set past it ends the call", () => {
    const scene = new CallScene({ offer: { session: { model: "bounded", ttl: 600 } } });
    scene.stage.now += 600_000;
    scene.stage.handle({ kind: "stepped", by: 600_000 });
    expect(scene.aliceInbox.event("session-ended")).toMatchObject({ reason: "ttl-expired" });
  });

  test("draining: what rings is refused, calls go on until the deadline, then everything closes", () => {
    const scene = new CallScene();
    const { stage } = scene;
    const ringing = scene.bob.call(ALICE);
    stage.handle({ kind: "shutdown", grace: 30_000 });
    expect(ringing.last).toMatchObject({ status: 503, error: { code: "draining" } });
    expect(scene.alice.call(BOB).outcome).toBe("draining");
    expect(scene.aliceInbox.event("shutdown")).toMatchObject({ deadline: stage.now + 30_000 });
    stage.advance(29_999);
    expect(scene.alice.query(scene.sessionId).last.result).toMatchObject({ state: "active" });
    stage.advance(1);
    expect(scene.bobInbox.event("session-ended")).toMatchObject({ reason: "server-shutdown" });
    expect(stage.isDrained).toBe(false);
    stage.advance(CLOSING_WINDOW);
    expect(scene.finalRecord()).toMatchObject({ extra: { reason: "server-shutdown" } });
    expect(stage.isDrained).toBe(true);
    expect(scene.aliceInbox.last).toMatchObject({ final: true, result: { reason: "server-shutdown" } });
    expect(stage.closes.map((close) => close.code)).toEqual([4, 4]);
    expect(stage.open()).toBe(stage.closes.at(-1)?.connection);
    stage.checkChain();
  });

  test("draining an idle server is over at once", () => {
    const scene = new CallScene();
    scene.close();
    scene.stage.handle({ kind: "shutdown", grace: 30_000 });
    expect(scene.stage.isDrained).toBe(true);
  });
});
