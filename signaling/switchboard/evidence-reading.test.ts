import { expect, test } from "vitest";
import { CallScene } from "../../test/scenario/signaling-call.ts";
import { EVIDENCE_CHUNK_BYTES, EVIDENCE_STALL } from "./evidence-reading.ts";

/** A call that is over, with evidence in three pieces. */
function closed(): CallScene {
  const scene = new CallScene();
  scene.close();
  scene.stage.evidenceText = "é".repeat(EVIDENCE_CHUNK_BYTES + 5);
  return scene;
}

test("a piece is handed out when the one before was taken", () => {
  const scene = closed();
  const { stage } = scene;
  stage.isTaking = false;
  const reading = scene.alice.evidence(scene.sessionId);
  expect(reading.all.map(({ result }) => result.index)).toEqual([0]);
  stage.advance(10_000);
  expect(reading.raw).toHaveLength(1);
  const { connection } = scene.alice;
  stage.handle({ kind: "taken", connection, exchange: reading.exchange });
  expect(reading.all.map(({ result }) => result.index)).toEqual([0, 1]);
  stage.isTaking = true;
  stage.handle({ kind: "taken", connection, exchange: reading.exchange });
  expect(reading.isOver).toBe(true);
  expect(reading.all.map(({ result }) => result.chunk).join("")).toBe(stage.evidenceText);
});

test("each participant reads a session's evidence once at a time, both at once", () => {
  const scene = closed();
  scene.stage.isTaking = false;
  const first = scene.alice.evidence(scene.sessionId);
  expect(scene.alice.evidence(scene.sessionId).outcome).toBe("rate-limited");
  expect(scene.bob.evidence(scene.sessionId).outcome).toBe("ok 200");
  scene.stage.handle({ kind: "abandoned", connection: scene.alice.connection, exchange: first.exchange });
  expect(scene.alice.evidence(scene.sessionId).outcome).toBe("ok 200");
  expect(scene.stage.evidenceBuilds, "refused before anything was built").toBe(3);
});

test("a reader that does not go on is given up", () => {
  const scene = closed();
  scene.stage.isTaking = false;
  const reading = scene.alice.evidence(scene.sessionId);
  scene.stage.advance(EVIDENCE_STALL - 1);
  expect(reading.isOver).toBe(false);
  scene.stage.advance(1);
  expect(reading.outcome).toBe("request-timeout");
  expect(scene.alice.evidence(scene.sessionId).outcome).toBe("ok 200");
});
