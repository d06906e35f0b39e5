/** An agent whose process dies in the middle of a call, and never comes back. */
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import type { CallEnd } from "../../agent/node.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { ATTACH_GRACE } from "../../signaling/switchboard/detaching.ts";
import { AgentProcess } from "../agent-process.ts";
import { CallListener } from "../listener.ts";
import { type RealServer, startRealServer } from "../real-server.ts";
import { until } from "../waiting.ts";

const LIVENESS = { pingInterval: 400, timeout: 2_000 };

let server: RealServer;
beforeAll(async () => {
  server = await startRealServer({ liveness: LIVENESS });
});
afterAll(async () => {
  expect(server.faults).toEqual([]);
  await server.stop();
});

it("ends at the other end when an agent's process is killed", async () => {
  const ada = await server.agent("Ada");
  onTestFinished(() => ada.close());
  const bob = await AgentProcess.start(server, "bob-who-dies", "bob-3.wav");
  onTestFinished(() => bob.kill());
  const call = await ada.call(bob.agentId);
  const listener = new CallListener(call);
  await until("Bob's voice", () => listener.verified > 20);
  const killed = performance.now();
  await bob.kill();
  expect(await call.ended).toEqual({ reason: "transport-closed", by: "server" } satisfies CallEnd);
  // The liveness timeout, the time it had to come back, and what a busy machine may add to it; the stack alone would take 30 s.
  expect(performance.now() - killed).toBeLessThan(LIVENESS.timeout + ATTACH_GRACE + 5_000);
  await call.end();
  const { report } = verifyEvidence(await call.evidence(), server.anchors, verifier);
  expect(report).toMatchObject({ verdict: "verified", faults: [] });
  // Ada closed her stream and signed for what she heard; nothing of that came from the dead.
  expect(report.streams).toMatchObject([
    { leg: 0, closedBySpeaker: true, closedByListener: false },
    { leg: 1, closedBySpeaker: false, closedByListener: true },
  ]);
});
