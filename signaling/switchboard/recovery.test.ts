import { expect, test } from "vitest";
import { strictVerifier } from "../../test/keys.ts";
import { restarted } from "../../test/scenario/restarted.ts";
import { CallScene } from "../../test/scenario/signaling-call.ts";
import { SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { ALICE, BOB, must, testAgent } from "../../test/signed-call.ts";
import { readRecord } from "../attribution.ts";
import { verifySessionChain } from "../record-chain.ts";
import { CLOSING_WINDOW, COUNTERS_WAIT } from "./endings.ts";

test("a call that was up when the server stopped gets its final record at the next start", async () => {
  const scene = new CallScene();
  const before = scene.stage.sessionRecords(scene.sessionId).length;
  const stage = await restarted(scene.stage);
  const records = stage.sessionRecords(scene.sessionId);
  expect(records).toHaveLength(before + 1);
  const artifacts = stage.artifacts(scene.sessionId);
  expect(must(readRecord(records.at(-1) as string))).toMatchObject({
    event: "session-terminated",
    extra: { reason: "server-restarted", by: "server", counters: [], artifacts: artifacts.length },
  });
  expect(artifacts.at(-1)).toMatchObject({ artifact: "counters", index: artifacts.length - 1 });
  expect(stage.log.at(-1)).toMatchObject({ kind: "record", closesSession: true });
  const { publicKey } = stage.server.identity;
  must(verifySessionChain(records, { publicKey, sessionId: scene.sessionId }, strictVerifier));
  stage.checkChain();
});

test("it is remembered as any other: its ends are told that it is over and why, others nothing", async () => {
  const scene = new CallScene();
  const stage = await restarted(scene.stage);
  const path = `/sessions/${scene.sessionId}/media`;
  for (const agent of [ALICE, BOB]) {
    const peer = new SignalingPeer(stage, agent);
    expect(peer.ask("OPEN", path, { attach_seq: 1 }).last.error).toMatchObject({
      code: "session-terminated",
      reason: "server-restarted",
      details: { state: "terminated" },
    });
    expect(peer.query(scene.sessionId).last.result).toMatchObject({ reason: "server-restarted" });
  }
  const carol = new SignalingPeer(stage, testAgent("carol", 21));
  expect(carol.ask("OPEN", path, { attach_seq: 1 }).outcome).toBe("session-identity-mismatch");
});

test.each(["bounded", "persistent"] as const)(
  "a %s one that somebody had hung up says so in its final record, and whose word that was",
  async (model) => {
    const scene = new CallScene({ offer: { session: { model, ttl: 3_600 } } });
    scene.alice.hangUp(scene.sessionId, scene.closing(0), "goodbye");
    const stage = await restarted(scene.stage);
    stage.advance(CLOSING_WINDOW + COUNTERS_WAIT);
    expect(must(readRecord(stage.sessionRecords(scene.sessionId).at(-1) as string))).toMatchObject({
      event: "session-terminated",
      extra: { reason: "goodbye", by: scene.alice.id },
    });
    const bob = new SignalingPeer(stage, BOB);
    bob.subscribe();
    expect(bob.query(scene.sessionId).last.result).toMatchObject({ reason: "goodbye", by: scene.alice.id });
    expect(bob.evidence(scene.sessionId).outcome).toBe("ok 200");
    stage.checkChain();
  },
);

test("its participants can then read the evidence", async () => {
  const scene = new CallScene();
  const stage = await restarted(scene.stage);
  const alice = new SignalingPeer(stage, ALICE);
  alice.subscribe();
  expect(alice.evidence(scene.sessionId).outcome).toBe("ok 200");
});

test("a call that ended says in its last record that nothing follows", () => {
  const scene = new CallScene();
  scene.close();
  const closing = scene.stage.log.filter((entry) => entry.kind === "record" && entry.closesSession);
  expect(closing).toHaveLength(1);
  expect(closing[0]).toMatchObject({ sessionId: scene.sessionId });
});
