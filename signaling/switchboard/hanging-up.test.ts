import { describe, expect, test } from "vitest";
import { seedSigner } from "../../test/keys.ts";
import { CallScene } from "../../test/scenario/signaling-call.ts";
import { type Answers, SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { ALICE, mediaKey, must, testAgent } from "../../test/signed-call.ts";
import { readOffer } from "../offer.ts";
import { CLOSING_WINDOW, COUNTERS_WAIT } from "./endings.ts";

describe("hanging up", () => {
  test("media stops at once, the other end is told, and all said the record follows", () => {
    const scene = new CallScene();
    scene.sendFinals(0);
    expect(scene.alice.hangUp(scene.sessionId, scene.closing(0)).last.result).toMatchObject({
      state: "terminated",
      reason: "hangup",
    });
    expect(scene.stage.admissions.at(-1)).toEqual({
      kind: "state",
      sessionId: scene.sessionId,
      state: "ended",
    });
    expect(scene.bobInbox.event("session-ended")).toMatchObject({
      session_id: scene.sessionId,
      reason: "hangup",
      by: ALICE.genesis.agentId,
    });
    expect(scene.aliceInbox.events).toEqual(["subscribed"]);
    expect(scene.finalRecord()).toBeUndefined();
    scene.sendFinals(1);
    scene.bob.lastWord(scene.sessionId, scene.closing(1));
    expect(scene.finalRecord()).toMatchObject({ extra: { reason: "hangup" } });
    scene.stage.checkChain();
  });

  test("both at once: the first reason stands, both closing statements are kept", () => {
    const scene = new CallScene();
    scene.alice.hangUp(scene.sessionId, scene.closing(0), "done");
    const second = scene.bob.hangUp(scene.sessionId, scene.closing(1), "bored");
    scene.sendFinals(0);
    scene.sendFinals(1);
    expect(second.last).toMatchObject({
      status: 200,
      result: { reason: "done", by: ALICE.genesis.agentId },
    });
    expect(scene.finalRecord()).toMatchObject({ extra: { reason: "done" } });
    const closings = scene.stage.artifacts(scene.sessionId).filter((entry) => entry.artifact === "closing");
    expect(closings.map((entry) => entry.leg)).toEqual([0, 1]);
  });

  test("a process that has not heard that another one has the call has not the last word", () => {
    const scene = new CallScene({ offer: { session: { model: "persistent", ttl: 3_600 } } });
    const next = new SignalingPeer(scene.stage, ALICE);
    const { now } = scene.stage;
    const media_key = mediaKey(ALICE, {
      ...{
        offerId: must(readOffer(String(scene.bobInbox.event("offer").offer))).offer_id,
        ed25519: seedSigner(77).publicKey,
        generation: 1,
      },
      ...{ notBefore: now - 60_000, notAfter: now + 3_600_000 },
    });
    const path = `/sessions/${scene.sessionId}/media`;
    expect(next.ask("OPEN", path, { attach_seq: 1, media_key }).outcome).toBe("ok 200");
    expect(scene.alice.hangUp(scene.sessionId, scene.closing(0)).outcome).toBe("ok 200");
    const closings = () => {
      const kept = scene.stage.artifacts(scene.sessionId).filter(({ artifact }) => artifact === "closing");
      return kept.map(({ bytes }) => new TextDecoder().decode(bytes));
    };
    expect(closings()).toEqual([]);
    const last = next.closing(scene.sessionId, scene.core.digest, 0, { generation: 1 });
    next.lastWord(scene.sessionId, last);
    scene.stage.advance(CLOSING_WINDOW);
    expect(closings()).toEqual([last]);
    expect(scene.finalRecord()).toMatchObject({ extra: { reason: "hangup" } });
  });

  test("an end that says nothing more is waited for 5 s", () => {
    const scene = new CallScene();
    scene.alice.hangUp(scene.sessionId, scene.closing(0));
    scene.stage.advance(CLOSING_WINDOW - 1);
    expect(scene.finalRecord()).toBeUndefined();
    expect(scene.alice.evidence(scene.sessionId).last).toMatchObject({
      status: 409,
      error: { code: "evidence-not-ready", details: { retry_after_ms: 1000 } },
    });
    scene.stage.advance(1);
    expect(scene.finalRecord()).toMatchObject({ event: "session-terminated", extra: { reason: "hangup" } });
    expect(scene.alice.evidence(scene.sessionId).outcome).toBe("ok 200");
  });

  test("a relay that does not tell its counters is waited for one second", () => {
    const scene = new CallScene();
    scene.stage.counters.set(scene.sessionId, undefined);
    scene.close();
    expect(scene.finalRecord()).toBeUndefined();
    scene.stage.advance(COUNTERS_WAIT);
    expect(scene.finalRecord()).toMatchObject({ extra: { counters: [] } });
  });

  test("afterwards everything finds the session terminated, and QUERY says why", () => {
    const scene = new CallScene();
    scene.close();
    expect(scene.alice.hangUp(scene.sessionId).last).toMatchObject({
      status: 409,
      error: { code: "session-terminated", reason: "hangup", details: { state: "terminated" } },
    });
    expect(scene.bob.query(scene.sessionId).last.result).toMatchObject({
      state: "terminated",
      reason: "hangup",
    });
  });

  test("a closing statement that does not hold changes nothing", () => {
    const scene = new CallScene();
    const wrong = scene.alice.closing(scene.sessionId, new Uint8Array(32), 0);
    expect(scene.alice.hangUp(scene.sessionId, wrong).outcome).toBe("field-invalid");
    expect(scene.alice.hangUp(scene.sessionId, scene.closing(1)).outcome).toBe("signature-invalid");
    expect(scene.alice.lastWord(scene.sessionId, scene.closing(0)).last).toMatchObject({
      status: 409,
      error: { code: "session-state-conflict", details: { state: "active" } },
    });
    expect(scene.bobInbox.events).not.toContain("session-ended");
  });

  test("only participants may, in sessions that exist", () => {
    const scene = new CallScene();
    const carol = new SignalingPeer(scene.stage, testAgent("carol", 5));
    carol.subscribe();
    expect(carol.hangUp(scene.sessionId).last).toMatchObject({
      status: 401,
      error: { code: "session-identity-mismatch" },
    });
    expect(carol.query(scene.sessionId).outcome).toBe("session-identity-mismatch");
    expect(carol.hangUp("sess-nobodyknows").last).toMatchObject({
      status: 404,
      error: { code: "session-not-found" },
    });
    scene.close();
    expect(carol.evidence(scene.sessionId).outcome).toBe("session-identity-mismatch");
    expect(carol.evidence("sess-nobodyknows").outcome).toBe("session-not-found");
  });
});

describe("last words that are overtaken by the request", () => {
  const answered = (answers: Answers) => answers.raw.map((response) => response.status);

  test("TERMINATE is answered when its end's last statements are there, whatever the other end owes", () => {
    const scene = new CallScene();
    const ending = scene.alice.hangUp(scene.sessionId, scene.closing(0));
    expect(scene.bobInbox.events, "the other end hears at once").toContain("session-ended");
    scene.stage.advance(300);
    expect(answered(ending)).toEqual([]);
    scene.sendFinals(0);
    expect(answered(ending)).toEqual([200]);
    expect(scene.finalRecord()).toBeUndefined();
  });

  test("so is the closing notice of the other end", () => {
    const scene = new CallScene();
    scene.sendFinals(0);
    scene.alice.hangUp(scene.sessionId, scene.closing(0));
    const closing = scene.bob.lastWord(scene.sessionId, scene.closing(1));
    expect(answered(closing)).toEqual([]);
    scene.sendFinals(1);
    expect(answered(closing)).toEqual([200]);
    expect(scene.finalRecord()?.extra?.artifacts).toBe(scene.stage.artifacts(scene.sessionId).length);
    scene.stage.checkChain();
  });

  test("statements that never come are waited for as long as the closing window is", () => {
    const scene = new CallScene();
    const ending = scene.alice.hangUp(scene.sessionId, scene.closing(0));
    scene.stage.advance(CLOSING_WINDOW - 1);
    expect(answered(ending)).toEqual([]);
    scene.stage.advance(1);
    expect(answered(ending)).toEqual([200]);
    expect(scene.finalRecord(), "it comes after the answer").toBeDefined();
    scene.stage.checkChain();
  });

  test("an end that leaves without a closing statement is answered at once", () => {
    const scene = new CallScene();
    expect(answered(scene.alice.hangUp(scene.sessionId))).toEqual([200]);
    const closing = scene.alice.lastWord(scene.sessionId, scene.closing(0));
    expect(answered(closing), "what it says later is waited for").toEqual([]);
  });

  test("statements that do not hold are not waited for", () => {
    const scene = new CallScene();
    const ending = scene.alice.hangUp(scene.sessionId, scene.closing(0));
    const { connection } = scene.alice;
    for (const flow of [scene.stream(0, "send").checkpoint_flow, scene.stream(0, "receive").receipt_flow])
      scene.stage.handle({ kind: "item", connection, flow: Number(flow), bytes: new Uint8Array(9) });
    expect(answered(ending)).toEqual([200]);
  });

  test("an end whose connection has gone is waited for while what it sent may arrive", () => {
    const scene = new CallScene();
    scene.sendFinals(1);
    scene.alice.hangUp(scene.sessionId, scene.closing(0));
    scene.bob.lastWord(scene.sessionId, scene.closing(1));
    scene.alice.drop(true);
    expect(scene.finalRecord()).toBeUndefined();
    scene.sendFinals(0);
    const kept = scene.stage.artifacts(scene.sessionId).map(({ artifact, leg }) => `${artifact} ${leg}`);
    expect(kept).toEqual(expect.arrayContaining(["checkpoint 0", "receipt 0"]));
    expect(scene.finalRecord()).toMatchObject({ extra: { artifacts: kept.length } });
  });

  test("few requests wait for one end, and those given up are not answered", () => {
    const scene = new CallScene();
    const waiting = Array.from({ length: 9 }, () => scene.alice.hangUp(scene.sessionId, scene.closing(0)));
    expect(waiting.at(-1)?.outcome).toBe("rate-limited");
    const [first] = waiting;
    const { connection } = scene.alice;
    scene.stage.handle({ kind: "abandoned", connection, exchange: first?.exchange ?? -1 });
    scene.sendFinals(0);
    expect(waiting.map((answers) => answers.raw.length)).toEqual([0, 1, 1, 1, 1, 1, 1, 1, 1]);
  });
});

test("a closing statement is kept once what it counts is there, so that a server killed before has a file that holds", () => {
  const scene = new CallScene();
  const kept = () => scene.stage.artifacts(scene.sessionId).map(({ artifact }) => artifact);
  scene.alice.hangUp(scene.sessionId, scene.closing(0));
  expect(kept()).not.toContain("closing");
  scene.sendFinals(0);
  expect(kept().slice(-3)).toEqual(["checkpoint", "receipt", "closing"]);
});
