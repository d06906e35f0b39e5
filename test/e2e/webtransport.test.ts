/** Whole calls over real sockets: a server on UDP, agents in this process and in processes of their own. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { Agent } from "../../agent/node.ts";
import { parseWav } from "../../codecs/wav.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { connectCall, say } from "../calling.ts";
import { CallListener } from "../listener.ts";
import { type RealServer, startRealServer } from "../real-server.ts";
import { until } from "../waiting.ts";

/** How alike what was heard is to what was said, at least. */
const LIKENESS = 0.9;
const LIVENESS = { pingInterval: 400, timeout: 2_000 };

let server: RealServer;
beforeAll(async () => {
  server = await startRealServer({ liveness: LIVENESS });
});
afterAll(async () => {
  expect(server.faults).toEqual([]);
  await server.stop();
});

describe("a call between two agents", () => {
  it("carries both voices at once, and its evidence verifies", async () => {
    const [ada, bob] = await Promise.all([agent("Ada"), agent("Bob")]);
    const { call, answered } = await connectCall(ada, bob);
    expect(call.peer).toEqual({ agentId: bob.id, name: "Bob", anchored: true });
    expect(answered.peer).toEqual({ agentId: ada.id, name: "Ada", anchored: true });
    const listeners = [new CallListener(answered), new CallListener(call)] as const;
    const [adaSays, bobSays] = [speech("ada-1"), speech("bob-1")];
    await Promise.all([say(call, adaSays), say(answered, bobSays)]);
    await until("both turns heard", () => listeners.every(({ turns }) => turns === 1));
    await call.end("said-everything");
    expect(await answered.ended).toEqual({ reason: "said-everything", by: "peer" });
    await Promise.all(listeners.map(({ over }) => over));
    expect(listeners[0].compare(adaSays).correlation).toBeGreaterThanOrEqual(LIKENESS);
    expect(listeners[1].compare(bobSays).correlation).toBeGreaterThanOrEqual(LIKENESS);
    for (const end of [call, answered]) {
      const { sent, heard } = end.stats();
      expect(sent?.sent).toBeGreaterThan(180);
      expect(heard).toMatchObject({ refused: {}, undecodable: 0, checkpoints: { bad: 0 } });
    }
    const { report } = verifyEvidence(await call.evidence(), server.anchors, verifier);
    expect(report.faults).toEqual([]);
    expect(report.verdict).toBe("verified");
    expect(report.parties.map(({ name }) => name)).toEqual(["Server under test", "Ada", "Bob"]);
  });
});

describe("a server that stops", () => {
  it("tells everybody, lets calls end until the grace is over, then closes and keeps every record", async () => {
    const own = await startRealServer({ liveness: LIVENESS });
    onTestFinished(() => own.stop());
    const [ada, bob] = await Promise.all([own.agent("Ada"), own.agent("Bob")]);
    const { call, answered } = await connectCall(ada, bob);
    const told = Promise.withResolvers<number | undefined>();
    ada.on("server-shutdown", ({ deadline }) => told.resolve(deadline));
    const closed = Promise.withResolvers<{ readonly code: number }>();
    bob.on("closed", closed.resolve);
    const spoken = call.audio.write(speech("ada-3")).catch(() => undefined);
    const drained = own.server.drain(2_000);
    expect(await told.promise).toBeGreaterThan(Date.now());
    await expect(ada.call(bob.id)).rejects.toMatchObject({ code: "draining" });
    expect(await Promise.all([call.ended, answered.ended])).toEqual([
      { reason: "server-shutdown", by: "server" },
      { reason: "server-shutdown", by: "server" },
    ]);
    await Promise.all([drained, spoken]);
    expect(await closed.promise).toMatchObject({ code: 4 });
    expect(own.faults).toEqual([]);
  });
});

async function agent(name: string): Promise<Agent> {
  const connected = await server.agent(name);
  onTestFinished(() => connected.close());
  return connected;
}

function speech(name: string): Int16Array {
  return wav(new URL(`../../examples/speech/${name}.wav`, import.meta.url)).samples;
}

function wav(path: string | URL) {
  const parsed = parseWav(readFileSync(path));
  if (!parsed.ok) throw new Error(parsed.fault.message);
  return parsed.value;
}
