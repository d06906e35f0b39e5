import { expect, test } from "vitest";
import { strictVerifier } from "../../test/keys.ts";
import { restarted } from "../../test/scenario/restarted.ts";
import { CallScene } from "../../test/scenario/signaling-call.ts";
import { SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { ALICE, must } from "../../test/signed-call.ts";
import { readRecord } from "../attribution.ts";
import { verifySessionChain } from "../record-chain.ts";

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
