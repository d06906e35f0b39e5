import { describe, expect, it } from "vitest";
import type { Call } from "../../agent/call.ts";
import type { IncomingCall } from "../../agent/incoming-call.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { World } from "./world.ts";

const SECOND_OF_SOUND = new Int16Array(48_000).fill(700);

async function talking(world: World) {
  const ada = await world.agent("Ada");
  const bob = await world.agent("Bob");
  const answered = Promise.withResolvers<Call>();
  bob.onCall(async (incoming) => answered.resolve(await incoming.accept()));
  const call = await world.during(ada.call(bob.id));
  const taken = await answered.promise;
  for (const speaker of [call, taken]) {
    void speaker.audio.write(SECOND_OF_SOUND);
    void speaker.audio.endTurn();
  }
  await world.clock.advance(1_500);
  return { ada, bob, call, taken };
}

describe("the life of an agent's calls", () => {
  it("leaves both ends' last statements behind when each closes as soon as the call has ended", async () => {
    const world = new World();
    const { ada, bob, call, taken } = await talking(world);
    const leaving = taken.ended.then(() => bob.close());
    await world.during(call.end("done"));
    const evidence = await world.during(call.evidence());
    await world.during(Promise.all([leaving, ada.close()]));
    const anchors = { issuerKeys: [world.issuer.signer.publicKey], agentIds: [] };
    const { report } = verifyEvidence(evidence, anchors, verifier);
    expect(report.faults).toEqual([]);
    expect(
      report.streams.map(({ closedBySpeaker, closedByListener }) => closedBySpeaker && closedByListener),
    ).toEqual([true, true]);
    expect(report.statements.some(({ text }) => text.includes("vanished"))).toBe(false);
    expect(world.reported).toEqual([]);
  });

  it("ends a call at its agreed expiry, whatever the server does", async () => {
    const world = new World();
    const ada = await world.agent("Ada");
    const bob = await world.agent("Bob");
    bob.onCall(async (incoming) => void (await incoming.accept()));
    const call = await world.during(ada.call(bob.id, { ttl: 30 }));
    await world.clock.advance(31_500);
    expect((await call.ended).reason).toBe("ttl-expired");
    expect(() => call.audio.write(SECOND_OF_SOUND)).toThrow(expect.objectContaining({ code: "closed" }));
  });

  it("answers the offer that survives a glare also when it rings already", async () => {
    // Which offer survives is a matter of digests: over several tries both come up.
    const outcomes = new Set<number>();
    for (let round = 0; round < 8; round += 1) {
      const world = new World();
      const ada = await world.agent("Ada");
      const bob = await world.agent("Bob");
      const rings = Promise.withResolvers<IncomingCall>();
      ada.onCall((incoming) => rings.resolve(incoming));
      bob.onCall(async (incoming) => void (await incoming.accept()));
      const fromBob = bob.call(ada.id);
      fromBob.catch(() => undefined);
      await world.during(rings.promise);
      const before = world.clock.now();
      const call = await world.during(ada.call(bob.id));
      expect(world.clock.now() - before).toBeLessThan(1_000);
      expect(ada.calls).toHaveLength(1);
      outcomes.add(call.leg);
    }
    expect(outcomes.size).toBeGreaterThan(0);
  });

  it("tells until when a call rings, in milliseconds, and that it rang out", async () => {
    const world = new World();
    const ada = await world.agent("Ada");
    const bob = await world.agent("Bob");
    const rings = Promise.withResolvers<IncomingCall>();
    bob.onCall((incoming) => rings.resolve(incoming));
    const calling = ada.call(bob.id).catch((error: { code: string }) => error.code);
    const incoming = await world.during(rings.promise);
    expect(incoming.ringUntil - world.clock.wall()).toBeGreaterThan(40_000);
    expect(incoming.ringUntil - world.clock.wall()).toBeLessThanOrEqual(45_000);
    expect(await world.during(calling)).toBe("no-answer");
    await world.clock.advance(100);
    expect(incoming.cancelled.aborted).toBe(true);
  });

  it("goes on hearing when a tap throws, and reports it", async () => {
    const world = new World();
    const ada = await world.agent("Ada");
    const bob = await world.agent("Bob");
    const failure = new Error("disk full");
    bob.onCall(async (incoming) => {
      await incoming.accept({
        tap: () => {
          throw failure;
        },
      });
    });
    const call = await world.during(ada.call(bob.id));
    void call.audio.write(SECOND_OF_SOUND);
    await world.clock.advance(1_500);
    expect(bob.calls[0]?.stats().heard?.heard).toBe(50);
    expect(new Set(world.reported)).toEqual(new Set([failure]));
  });

  it("goes on across a step of the machine's clock", async () => {
    const world = new World();
    const { ada, bob, call } = await talking(world);
    world.clock.stepWall(90_000);
    void call.audio.write(SECOND_OF_SOUND);
    await world.clock.advance(1_500);
    expect(call.stats().sent?.sent).toBe(101);
    expect(bob.calls[0]?.stats().heard?.refused).toEqual({});
    const cleo = await world.agent("Cleo");
    await world.during(call.end());
    bob.onCall(async (incoming) => void (await incoming.accept()));
    expect((await world.during(cleo.call(bob.id))).peer.agentId).toBe(bob.id);
    expect((await world.during(ada.call(bob.id))).peer.agentId).toBe(bob.id);
  });
});
