/** Calls whose connection is lost and that go on over the next one. */
import { describe, expect, it } from "vitest";
import { bothAreHeard, count, hungUp, judged, scene, upTo } from "./returning.ts";
import { refusal, utterance } from "./talking.ts";

describe.each(["caller", "callee", "both"])("when the connection of the %s is lost", (who) => {
  it("the call goes on: both are heard again, every message came once, and the evidence verifies", async () => {
    const { world, ada, bob } = await scene();
    await bothAreHeard(world, ada, bob);
    const counted = Promise.all([count(world, ada.call, 60), count(world, bob.call, 60)]);
    void ada.call.audio.write(utterance(4, 48_000)).catch(() => undefined);
    await world.clock.advance(1_000);
    for (const lost of [ada, bob])
      if (who === "both" || (who === "caller") === (lost === ada)) lost.way.cut();
    await world.clock.advance(100);
    if (who !== "callee") expect([ada.call.state, ada.agent.isOnline]).toEqual(["detached", false]);
    await world.during(counted);
    await world.clock.advance(3_000);
    expect([ada.call.state, bob.call.state]).toEqual(["active", "active"]);
    if (who === "caller") {
      expect(ada.events).toEqual(["detached", "reattached"]);
      expect(bob.events).toEqual(["peer-detached", "peer-attached"]);
      // What was said meanwhile waited for the connection.
      expect(ada.call.stats().sent?.unsent).toBe(0);
    }
    expect([ada.told, bob.told]).toEqual([upTo(60), upTo(60)]);
    await bothAreHeard(world, ada, bob);
    await hungUp(world, ada.call, bob.call);
    expect(world.reported).toEqual([]);
  });
});

describe("words that are said while an end is away for a moment", () => {
  it.each(["speaker", "listener"])(
    "of the %s's connection are heard once it is back, in order, none twice",
    async (who) => {
      const { world, ada, bob } = await scene();
      await bothAreHeard(world, ada, bob);
      const sequences: number[] = [];
      void (async () => {
        for await (const heard of bob.call.audio) if (heard.kind === "speech") sequences.push(heard.sequence);
      })();
      const before = ada.call.stats().sent?.sent ?? 0;
      // As a microphone does: 20 ms at a time, whoever listens.
      const pcm = utterance(6, 48_000);
      let waited = 0;
      const cutAt = 2_000;
      for (let at = 0; at < 6_000; at += 20) {
        if (at === cutAt) (who === "speaker" ? ada : bob).way.cut();
        let taken = false;
        void ada.call.audio.write(pcm.subarray(at * 48, (at + 20) * 48)).then(() => {
          taken = true;
        });
        await world.clock.advance(20);
        if (!taken) waited += 1;
      }
      await world.clock.advance(3_000);
      expect(waited).toBe(0);
      const sent = (ada.call.stats().sent?.sent ?? 0) - before + (ada.call.stats().sent?.leftOut ?? 0);
      expect(sent).toBe(300);
      expect(sequences).toEqual([...new Set(sequences)].toSorted((a, b) => a - b));
      // Those under way as the connection broke are lost, and those alone.
      expect(sequences.length).toBeGreaterThan(285);
      expect(ada.call.stats().sent?.unsent).toBe(0);
      expect(world.reported).toEqual([]);
    },
  );
});

describe("a bounded call whose end does not come back in time", () => {
  it("ends at both ends, here by this end's own clock, there by the server's", async () => {
    const { world, ada, bob } = await scene();
    ada.way.isDown = true;
    ada.way.cut();
    await world.clock.advance(9_900);
    expect([ada.call.state, bob.call.state]).toEqual(["detached", "active"]);
    await world.clock.advance(400);
    expect(await ada.call.ended).toEqual({ reason: "connection-lost", by: "server" });
    expect(await bob.call.ended).toEqual({ reason: "transport-closed", by: "server" });
    expect([ada.events, bob.events]).toEqual([
      ["detached", "ended"],
      ["peer-detached", "ended"],
    ]);
    ada.way.isDown = false;
    await world.clock.advance(10_000);
    expect([ada.agent.isOnline, ada.agent.calls]).toEqual([true, []]);
    expect(await judged(world, bob.call)).toMatchObject({ verdict: "verified", faults: [] });
    expect(world.reported).toEqual([]);
  });
});

describe("a persistent call whose end is away for minutes", () => {
  it("goes on when it is back", async () => {
    const { world, ada, bob } = await scene({ model: "persistent" });
    await bothAreHeard(world, ada, bob);
    ada.way.isDown = true;
    ada.way.cut();
    await world.clock.advance(120_000);
    expect([ada.call.state, bob.call.state]).toEqual(["detached", "active"]);
    ada.way.isDown = false;
    await world.clock.advance(3_000);
    expect(ada.events).toEqual(["detached", "reattached"]);
    await bothAreHeard(world, ada, bob);
    await hungUp(world, bob.call, ada.call);
    expect(world.reported).toEqual([]);
  });
});

describe("while this end is away", () => {
  it("what is asked waits for a moment and fails as offline, and an interrupt is not in force then", async () => {
    const { world, ada, bob } = await scene({ model: "persistent" });
    ada.way.isDown = true;
    ada.way.cut();
    await world.clock.advance(100);
    const from = world.clock.now();
    expect(await refusal(world, ada.call.interrupt())).toBe("offline");
    expect(world.clock.now() - from).toBeGreaterThanOrEqual(3_000);
    expect(await refusal(world, ada.call.suspend())).toBe("offline");
    ada.way.isDown = false;
    await world.clock.advance(4_000);
    await bothAreHeard(world, ada, bob);
    expect([ada.call.suspended, bob.call.suspended]).toEqual([undefined, undefined]);
  });

  it("an interrupt that waits is signed, recorded and obeyed once it is back", async () => {
    const { world, ada, bob } = await scene();
    void bob.call.audio.write(utterance(8, 48_000)).catch(() => undefined);
    await world.clock.advance(500);
    ada.way.cut();
    await world.clock.advance(50);
    const told: unknown[] = [];
    bob.call.on("interrupted", (event) => told.push(event));
    await world.during(ada.call.interrupt());
    await world.clock.advance(100);
    expect(told).toMatchObject([{ epoch: 1, by: ada.agent.id }]);
    await world.clock.advance(1_000);
    await bothAreHeard(world, ada, bob);
    await hungUp(world, ada.call, bob.call);
  });

  it("hanging up is delivered once it is back", async () => {
    const { world, ada, bob } = await scene();
    await bothAreHeard(world, ada, bob);
    ada.way.cut();
    await world.clock.advance(50);
    void ada.call.end("enough");
    await world.clock.advance(3_000);
    expect(await ada.call.ended).toEqual({ reason: "enough", by: "me" });
    expect(await bob.call.ended).toEqual({ reason: "enough", by: "peer" });
    await world.during(bob.call.settled);
    expect(await judged(world, bob.call)).toEqual({ verdict: "verified", faults: [], vanished: [] });
    expect(world.reported).toEqual([]);
  });

  it("the other end's hanging up is learnt when it is back", async () => {
    const { world, ada, bob } = await scene();
    ada.way.cut();
    await world.clock.advance(50);
    await world.during(bob.call.end("goodbye"));
    await world.clock.advance(3_000);
    expect(await ada.call.ended).toEqual({ reason: "goodbye", by: "peer" });
    expect(world.reported).toEqual([]);
  });

  it("the other end suspends the call and resumes it: this end finds it as it is", async () => {
    const { world, ada, bob } = await scene({ model: "persistent" });
    ada.way.isDown = true;
    ada.way.cut();
    await world.clock.advance(100);
    expect(await refusal(world, bob.call.suspend())).toBe("session-state-conflict");
    ada.way.isDown = false;
    await world.clock.advance(3_000);
    const { nonce } = await world.during(bob.call.suspend());
    await world.clock.advance(100);
    expect(ada.call.state).toBe("suspended");
    ada.way.cut();
    await world.clock.advance(3_000);
    expect(ada.call.state).toBe("suspended");
    await world.during(ada.call.resume(nonce));
    await world.clock.advance(100);
    await bothAreHeard(world, ada, bob);
    expect(world.reported).toEqual([]);
  });
});
