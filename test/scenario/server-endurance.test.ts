import { describe, expect, it } from "vitest";
import type { Call } from "../../agent/call.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { buildEvidence } from "../../signaling/evidence/build.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import type { LinkModel } from "../../transports/memory.ts";
import { connected, say } from "./talking.ts";
import { World } from "./world.ts";

const PCMU = { audio: { codecs: ["pcmu"] } };

function judged(world: World, evidence: Uint8Array) {
  const anchors = { issuerKeys: [world.issuer.signer.publicKey], agentIds: [] };
  const { verdict, faults } = verifyEvidence(evidence, anchors, verifier).report;
  return { verdict, faults };
}

describe("a server that is up for long", () => {
  it("carries checkpoints and receipts in the hundredth call of a connection as in the first", async () => {
    const world = new World();
    const ada = await world.agent("Ada");
    const bob = await world.agent("Bob");
    let last: Call | undefined;
    for (let call = 1; call <= 110; call += 1) {
      const pair = await connected(world, ada, bob, PCMU, PCMU);
      if (call > 105) await say(world, pair.call, 0.2);
      await world.clock.advance(50);
      await world.during(pair.call.end("done"));
      await world.clock.advance(100);
      last = pair.answered;
    }
    expect(last?.stats().heard?.checkpoints).toMatchObject({ good: 1, bad: 0 });
    expect(world.reported).toEqual([]);
  });

  it.each([60_000, -60_000, 3_000_000, -3_600_000])(
    "takes agents and calls after its clock was set by %i ms, and frames of those before",
    async (step) => {
      const world = new World();
      const [old, other] = [await world.agent("Old"), await world.agent("Other")];
      const long = { ...PCMU, ttl: 3_600 };
      const { call } = await connected(world, old, other, long, PCMU);
      await say(world, call, 0.2);
      const refused: string[] = [];
      call.on("frames-refused", ({ reason }) => refused.push(reason));
      world.clock.stepWall(step);
      const young = await world.agent("Young");
      const fresh = await connected(world, young, other, PCMU, PCMU);
      await say(world, fresh.call, 0.2);
      await world.clock.advance(500);
      expect(fresh.answered.stats().heard).toMatchObject({ refused: {} });
      expect(fresh.answered.stats().heard?.heard).toBeGreaterThan(5);
      await say(world, call, 0.2);
      await world.clock.advance(500);
      expect(refused).toEqual([]);
    },
  );

  it("gives calls their grace when it drains, wherever the clock stands", async () => {
    const world = new World();
    const { call } = await connected(world, await world.agent("Ada"), await world.agent("Bob"));
    let ended = false;
    void call.ended.then(() => {
      ended = true;
    });
    world.clock.stepWall(-3_600_000);
    const drained = world.server.drain(5_000);
    await world.clock.advance(4_900);
    expect(ended).toBe(false);
    await world.clock.advance(200);
    expect(ended).toBe(true);
    await world.during(drained);
  });
});

describe("statements that travel slower than requests", () => {
  it("a checkpoint that comes late, its speaker gone at once: the evidence holds", async () => {
    let late = 0;
    const up: LinkModel = {
      datagram: (_bytes, now) => now + 20,
      reliable: (bytes, now) => {
        const isSlow = late > 0 && bytes > 60 && bytes < 900;
        if (isSlow) late -= 1;
        return now + (isSlow ? 320 : 20);
      },
    };
    const down: LinkModel = { datagram: (_bytes, now) => now + 20, reliable: (_bytes, now) => now + 20 };
    const world = new World({ toServer: up, toClient: down });
    const ada = await world.agent("Ada");
    const { call, answered } = await connected(world, ada, await world.agent("Bob"));
    await say(world, call, 0.4);
    await world.clock.advance(300);
    late = 1;
    await world.during(call.end("done").then(() => ada.close()));
    expect(judged(world, await world.during(answered.evidence()))).toEqual({
      verdict: "verified",
      faults: [],
    });
  });
});

describe("a server that dies", () => {
  it("ends at its next start what was up, and the evidence holds", async () => {
    const world = new World();
    const { call } = await connected(world, await world.agent("Ada"), await world.agent("Bob"));
    await say(world, call, 12);
    await world.clock.advance(500);
    await world.server.close();
    expect([...world.log.openSessions()]).toHaveLength(1);
    new World({ log: world.log, serverIdentity: world.serverIdentity });
    await world.clock.settle();
    expect([...world.log.openSessions()]).toEqual([]);
    const session = world.log.session(call.id);
    if (session === undefined) throw new Error("the session is not in the log");
    const { bytes } = buildEvidence(
      { session, server: world.serverIdentity, now: world.clock.wall() },
      verifier,
    );
    expect(judged(world, bytes)).toEqual({ verdict: "verified", faults: [] });
  });
});
