import { describe, expect, test } from "vitest";
import { CallScene } from "../../test/scenario/signaling-call.ts";
import { type Answers, SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { ALICE, BOB, must, testAgent } from "../../test/signed-call.ts";
import { readRecord } from "../attribution.ts";

describe("the session in an answer", () => {
  test("is in every one about it to its participants, refusals and inbox events too, and to nobody else", () => {
    const scene = new CallScene();
    const { alice, bob, sessionId, stage } = scene;
    const stranger = new SignalingPeer(stage, testAgent("carol", 9));
    stranger.subscribe();
    const sessionOf = (answers: Answers) => answers.raw.at(-1)?.headers.get("Session-ID");
    expect(sessionOf(alice.query(sessionId))).toBe(sessionId);
    expect(sessionOf(alice.ask("QUERY", `/sessions/${sessionId}/records`))).toBe(sessionId);
    expect(sessionOf(alice.evidence(sessionId))).toBe(sessionId);
    expect(sessionOf(alice.ask("ADJUST", `/sessions/${sessionId}`, { narrowing: "x" }))).toBe(sessionId);
    expect(stranger.query(sessionId).outcome).toBe("session-identity-mismatch");
    expect(sessionOf(stranger.query(sessionId))).toBeUndefined();
    bob.hangUp(sessionId);
    expect(sessionOf(scene.aliceInbox)).toBe(sessionId);
    const record = must(
      readRecord(alice.evidence(sessionId).raw[0]?.headers.get("Attribution-Record") ?? ""),
    );
    expect(record).toMatchObject({ session_id: sessionId, event: "evidence-not-ready" });
    expect(record.session_seq).toBeUndefined();
    stage.checkChain();
  });
});

describe("what a record names", () => {
  const recordOf = (answers: Answers) =>
    must(readRecord(answers.raw[0]?.headers.get("Attribution-Record") ?? ""));

  test("an action where something is changed, the same in every answer of a series", () => {
    const scene = new CallScene();
    const actions = scene.bobInbox.raw.map(({ headers }) => headers.get("Action-ID"));
    expect(new Set(actions).size).toBe(1);
    expect(recordOf(scene.bobInbox).action_id).toBe(actions[0]);
    expect(scene.established.raw[0]?.headers.get("Action-ID")).not.toBe(actions[0]);
    const query = scene.alice.query(scene.sessionId);
    expect(recordOf(query).action_id).toBeUndefined();
    expect(query.raw[0]?.headers.has("Action-ID")).toBe(false);
  });

  test("who asked and whose agent that is, or what was claimed and not proved", () => {
    const scene = new CallScene();
    expect(recordOf(scene.established)).toMatchObject({
      counterparty_agent_id: scene.alice.id,
      extra: { counterparty_owner_id: ALICE.genesis.ownerId },
    });
    const [claimed] = scene.stage.ask("DISCOVER", "/genesis", [["Agent-ID", BOB.genesis.agentId]]);
    const record = must(readRecord(claimed?.headers.get("Attribution-Record") ?? ""));
    expect(record.counterparty_agent_id).toBeUndefined();
    expect(record.extra).toEqual({ claimed_agent_id: BOB.genesis.agentId });
  });
});
